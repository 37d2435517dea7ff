"""Version 1 of the texts that are signed, as they were when migration 0002 was released."""

import hashlib

STORAGE_EN = """Lacuna keeps what you bring so that it can be erased.

Everything is encrypted from its first byte. Only you, your doctor and the technicians of your case can open it, and every opening is written down.

You may take back any single thing, or all of it, at any time until your map is locked. What you take back is destroyed here, not put aside.

We cannot reach copies that are elsewhere: in your phone, with a friend, in a cloud."""

STORAGE_VI = """Lacuna giữ những gì bạn mang đến để có thể xóa chúng.

Mọi thứ được mã hóa ngay từ byte đầu tiên. Chỉ bạn, bác sĩ và kỹ thuật viên phụ trách hồ sơ của bạn mở được, và mỗi lần mở đều được ghi lại.

Bạn có thể lấy lại từng thứ, hoặc tất cả, bất cứ lúc nào cho đến khi bản đồ được khóa. Thứ bạn lấy lại sẽ bị hủy tại đây, không phải cất đi.

Chúng tôi không với tới được những bản sao ở nơi khác: trong điện thoại của bạn, ở bạn bè, trên đám mây."""

PROCEDURE_EN = """You ask us to erase the memories on the map that you see with this text, and no others.

They go one after another, the newest first. Each fades in thirteen passes. From the first pass on, the original and every copy we hold of it are destroyed; from the last, nothing of it can be brought back by you, by us or by anyone.

You may stop at any moment until the last key is gone: by withdrawing, by the safe word, or by asking anyone in the room. What is gone by then stays gone. What is damaged by then stays sealed until you say whether you want it back as it is.

A memory you mark as protected is kept. A copy that is found outside your map holds the night until the doctor has decided; the doctor may only erase it if you allow that below.

Afterwards you get a certificate that anyone can check. We then forget whom it was about."""

PROCEDURE_VI = """Bạn yêu cầu chúng tôi xóa những ký ức trên bản đồ đi kèm văn bản này, và không ký ức nào khác.

Chúng lần lượt ra đi, ký ức mới nhất trước. Mỗi ký ức mờ dần qua mười ba lượt. Từ lượt đầu tiên, bản gốc và mọi bản sao chúng tôi giữ đều bị hủy; từ lượt cuối cùng, không ai có thể lấy lại được gì, dù là bạn, chúng tôi hay bất kỳ ai.

Bạn có thể dừng bất cứ lúc nào cho đến khi chìa khóa cuối cùng biến mất: bằng cách rút lại đồng ý, bằng từ an toàn, hoặc nói với bất kỳ ai trong phòng. Những gì đã mất khi đó vẫn mất. Những gì đã hư hại khi đó được niêm phong cho đến khi bạn nói có muốn nhận lại như vậy không.

Ký ức bạn đánh dấu bảo vệ sẽ được giữ. Một bản sao tìm thấy ngoài bản đồ sẽ giữ đêm lại cho đến khi bác sĩ quyết định; bác sĩ chỉ được xóa nó nếu bạn cho phép bên dưới.

Sau đó bạn nhận một chứng nhận mà ai cũng kiểm tra được. Rồi chúng tôi quên đi đó là ai."""

TEXTS = (
    ("storage", "en", STORAGE_EN),
    ("storage", "vi", STORAGE_VI),
    ("procedure", "en", PROCEDURE_EN),
    ("procedure", "vi", PROCEDURE_VI),
)


def publish(apps, schema_editor):
    rows = apps.get_model("patients", "ConsentText").objects
    for kind, language, body in TEXTS:
        digest = hashlib.sha256(body.encode()).hexdigest()
        rows.get_or_create(kind=kind, version=1, language=language, defaults={"body": body, "digest": digest})

"""What the patients of the demonstration bring, except Joel Barish (his story is in story.py).

They use the picture files of his story, so one picture may be in several cases. The day of a memory with a
picture must be that in the picture's EXIF data.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from erasure.demo.story import StoryKeepsake, StoryMemory, object_photo, photo


@dataclass(frozen=True)
class StoryCase:
    """What one patient brings.

    patient: their key (`Person.key` in people_and_rooms.py). subject: whom they want to forget. relation: who
    that is to them. hope: the answer to the intake's question `hope`. extra_answers: answers by question, in
    addition to the usual ones; where there are both, these count.
    """

    patient: str
    subject: str
    relation: str
    hope: str
    memories: tuple[StoryMemory, ...] = ()
    extra_answers: Mapping[str, str] = field(default_factory=dict)

    def answers(self, steps: Collection[str]) -> dict[str, str]:
        """Return the usual answers to these steps of the intake, and all `extra_answers`, by question."""
        usual = {
            "meeting": {"still": "no"},
            "wish": {"own_wish": "own"},
            "hope": {"hope": self.hope},
            "health": {"sedation": "no", "medication": "none", "allergy": "no"},
        }
        chosen = {name: text for step in steps for name, text in usual.get(step, {}).items()}
        return chosen | dict(self.extra_answers)


def _letter(key: str, caption: str, words: str) -> StoryKeepsake:
    """Return a letter whose content is `words`. Its path gives a file name only; nothing is read."""
    return StoryKeepsake(key, caption, "letter", Path(f"{key}.txt"), words=words)


def _memory(
    key: str, title: str, day: str, place: str, intensity: int, story: str, *keepsakes: StoryKeepsake
) -> StoryMemory:
    return StoryMemory(key, title, day, place, intensity, story, keepsakes, people=())


CLEMENTINE = StoryCase(
    "clementine",
    "Joel Barish",
    "boyfriend",
    "To wake up and not be angry.",
    (
        _memory(
            "train",
            "The man who drew me",
            "2001-11-18",
            "Long Island Rail Road",
            8,
            "He looked away each time I looked.",
            object_photo("ticket", "Mine", "two-train-tickets.jpg"),
        ),
        _memory(
            "last",
            "The door, and then nothing",
            "2004-01-25",
            "his stairs",
            9,
            "I waited for him to come after me.",
            _letter(
                "last",
                "Not sent",
                "I stood on your stairs and counted. At sixty I went home.\n\n"
                "I am tired of being the one who is alive for both of us.\n",
            ),
        ),
    ),
)
MARY = StoryCase(
    "mary",
    "Howard Mierzwiak",
    "the doctor I worked for",
    "To go on working here.",
    (
        _memory(
            "note",
            "A note on his desk",
            "2003-05-12",
            "the office",
            7,
            "He folded it twice and put it into his coat.",
            _letter(
                "note",
                "I kept a copy",
                "Howard,\n\nI know what you will say, and that you will be right. "
                "I would still rather have said it.\n\nM.\n",
            ),
        ),
    ),
)
SYLVIA = StoryCase(
    "sylvia",
    "Orlando Finch",
    "my husband, for a year",
    "To like fireworks again.",
    (
        _memory(
            "lake",
            "The jetty, where he asked",
            "2002-08-18",
            "upstate",
            9,
            "I said yes before he had finished.",
            photo("jetty", "A minute before", "jetty-on-lake.jpg"),
        ),
        _memory(
            "globe",
            "A snow globe from the airport",
            "2002-12-25",
            "the airport",
            4,
            "He was late, and it was all that was still open.",
            object_photo("globe", "It leaks", "snow-globe-with-house.jpg"),
        ),
        _memory(
            "flowers",
            "One dahlia",
            "2003-02-14",
            "our kitchen",
            6,
            "He said that a dozen is for strangers.",
            photo("dahlia", "It lasted", "dahlia.jpg"),
        ),
        _memory(
            "lanterns",
            "Dinner under lanterns",
            "2003-09-27",
            "Kang's",
            8,
            "We both read the menu twice.",
            photo("lanterns", "Nobody talked", "dinner-under-lanterns.jpg"),
        ),
        _memory(
            "skyline",
            "Midnight on the roof",
            "2004-01-01",
            "the roof",
            10,
            "He counted down, and at one he left.",
            photo("skyline", "Too bright", "fireworks-over-skyline.jpg"),
        ),
    ),
)
EDGAR = StoryCase(
    "edgar",
    "Beatrix Cole",
    "we sang together",
    "To hear a song, and it is only a song.",
    (
        _memory(
            "circus",
            "The elephants",
            "2002-07-13",
            "34th Street",
            8,
            "She knew the hour, and would not tell me why we were out.",
            photo("circus", "Blurred, we ran", "elephants-in-street-at-night.jpg"),
        ),
        _memory(
            "market",
            "Everything for a dollar",
            "2003-05-04",
            "Chelsea",
            5,
            "She bought a lamp without a plug.",
            photo("market", "The lamp is behind the chair", "flea-market.jpg"),
        ),
        _memory(
            "tape",
            "Our tape",
            "2003-07-06",
            "my car",
            9,
            "Side A is her. Side B is both of us.",
            object_photo("tape", "The only copy", "cassette-side-b.jpg"),
        ),
        _memory(
            "blackout",
            "The night without light",
            "2003-08-14",
            "the bookshop",
            7,
            "We sang until the batteries were empty.",
            photo("blackout", "By flashlight", "bookshop-by-flashlight.jpg"),
        ),
        _memory(
            "rain",
            "Rain on the windshield",
            "2003-11-08",
            "my car",
            9,
            "She got out at a red light.",
            photo("rain", "The same corner", "car-in-rain-at-night.jpg"),
        ),
    ),
)
BRUNO = StoryCase(
    "bruno",
    "Flora Quince",
    "we kept a shop",
    "To walk down that street.",
    (
        _memory(
            "street",
            "The street in snow",
            "2002-01-13",
            "our street",
            6,
            "She swept as far as the corner.",
            photo("street", "Half past six", "snowy-street-in-the-evening.jpg"),
        ),
        _memory(
            "windows",
            "Every window",
            "2003-10-18",
            "our street",
            8,
            "One of them was ours.",
            photo("windows", "Third from the left", "lit-windows-at-night.jpg"),
        ),
        _memory(
            "key",
            "The key to the shop",
            "2003-12-01",
            "the counter",
            7,
            "She put it down without a sound.",
            _letter(
                "key",
                "It lay under the key",
                "Bruno, the shop is yours. The debts are mine, I have signed for them.\n\n"
                "Water the fern. It does not know.\n\nF.\n",
            ),
        ),
    ),
)
IGNATIUS = StoryCase(
    "ignatius",
    "Muriel Gray",
    "a friend",
    "To stop writing to her.",
    (
        _memory(
            "postcards",
            "Postcards without a stamp",
            "2003-08-20",
            "the hall",
            6,
            "I wrote one each week and sent none.",
            _letter("postcards", "The last one", "Muriel, it rains here too. That is all I wanted to say.\n"),
        ),
        _memory(
            "sky",
            "The stars she made up",
            "2001-12-22",
            "Boston",
            8,
            "I still find them.",
            photo("sky", "Only lights", "constellation-over-dark-shore.jpg"),
        ),
    ),
)
# Each of these has a night: the first tomorrow evening, the second a day later, and so on.
CASES_OF_NEXT_EVENINGS = (
    StoryCase(
        "felix",
        "Augusta Bell",
        "my sister-in-law",
        "To sit at that table.",
        (
            _memory(
                "table",
                "A place too many",
                "2003-11-27",
                "my brother's house",
                7,
                "They had laid it for her, and nobody took it away.",
                _letter("table", "What I said, afterwards", "I should have moved the chair. I am sorry.\n"),
            ),
        ),
    ),
    StoryCase(
        "marguerite",
        "Casimir Holt",
        "my teacher",
        "To play, and nobody listens.",
        (
            _memory(
                "lesson",
                "The last lesson",
                "2003-12-19",
                "his kitchen",
                6,
                "He wrote down what was missing.",
                photo("fridge", "It hung at eye level", "note-on-fridge.jpg"),
            ),
        ),
    ),
    StoryCase(
        "rufus",
        "Sabine North",
        "we were engaged",
        "To take the ferry.",
        (
            _memory(
                "beach",
                "Footprints",
                "2003-11-30",
                "Montauk",
                9,
                "Hers stop in the middle.",
                photo("beach", "Two kinds", "footprints-in-snow-on-beach.jpg"),
            ),
        ),
    ),
    StoryCase(
        "cordelia",
        "Lionel Park",
        "my neighbor",
        "To open the window.",
        (
            _memory(
                "wall",
                "Through the wall",
                "2003-06-10",
                "my bedroom",
                5,
                "He practised the same four bars.",
                _letter(
                    "wall", "Slipped under my door", "I hope it does not disturb you. I play it for you.\n"
                ),
            ),
        ),
    ),
)
AGNES = StoryCase(
    "agnes",
    "Theo Ballard",
    "the father of my son",
    "Not to flinch at his name.",
    (
        _memory(
            "mug",
            "A mug with a face",
            "2002-02-14",
            "the mall",
            5,
            "He wanted mine, I wanted his.",
            object_photo("mug", "Chipped", "mug-with-portrait.jpg"),
        ),
        _memory(
            "letter",
            "What he left",
            "2003-09-01",
            "the table",
            9,
            "It has no greeting.",
            _letter("letter", "On the back of a bill", "I have taken only what is mine. Do not wait up.\n"),
        ),
    ),
)
JASPER = StoryCase(
    "jasper",
    "Wren Abbott",
    "we traveled together",
    "To plan a journey.",
    (
        _memory(
            "ice",
            "On the ice",
            "2001-12-22",
            "Boston",
            10,
            "Neither of us could skate.",
            photo("ice", "From the bridge", "two-people-on-frozen-river.jpg"),
        ),
        _memory(
            "list",
            "A list of cities",
            "2003-04-02",
            "my pocket",
            4,
            "We had crossed out three.",
            _letter("list", "In both our hands", "Lisbon, Trieste, Riga. Then anywhere with a harbor.\n"),
        ),
    ),
)
WILHELMINA = StoryCase(
    "wilhelmina",
    "Conrad Vesey",
    "my first love",
    "To stop comparing.",
    (
        _memory(
            "screen",
            "The film without sound",
            "2002-06-29",
            "Route 110",
            7,
            "He made up the words.",
            photo("screen", "Outside the fence", "drive-in-with-horse-on-screen.jpg"),
        ),
        _memory(
            "vow",
            "A promise on paper",
            "2002-09-09",
            "school",
            6,
            "He signed with his full name.",
            _letter(
                "vow", "Folded very small", "I promise to be at the gate at eight, every day, until June.\n"
            ),
        ),
    ),
)
HECTOR = StoryCase(
    "hector",
    "Ottilie Crane",
    "my partner at work",
    "To keep my work.",
    (
        _memory(
            "desk",
            "Her desk",
            "2003-12-06",
            "the office",
            6,
            "She left a photograph in the drawer.",
            photo("house", "I do not know whose house it is", "house-on-beach-at-dusk.jpg"),
            _letter("memo", "She typed everything", "Hector, the figures are right. You are not. O.\n"),
        ),
        _memory(
            "party",
            "The last party",
            "2003-10-18",
            "the street",
            8,
            "She left before the speeches.",
            photo("party", "I stood outside", "lit-windows-at-night.jpg"),
        ),
    ),
)
IMOGEN = StoryCase(
    "imogen",
    "Percival Stone",
    "my brother",
    "To have had a brother.",
    (
        _memory(
            "bicycle",
            "He taught me to ride",
            "1978-07-01",
            "home",
            6,
            "He let go without telling me.",
            photo("bicycle", "It was his", "bicycle-at-door.jpg"),
        ),
    ),
)
# A letter that Imogen has not placed in a memory yet.
UNPLACED_LETTER = _letter("percival", "It came without a sender", "Immy, I am well. Do not look for me. P.\n")
OSCAR = StoryCase("oscar", "Delphine Rook", "we shared a flat", "To move out of that flat in my head.")
LOTTE = StoryCase(
    "lotte",
    "Gideon Frost",
    "my husband",
    "To sleep.",
    (
        _memory(
            "ring",
            "What I wrote to him",
            "2003-03-03",
            "home",
            7,
            "He never answered.",
            _letter("ring", "A draft", "Gideon, I have changed my mind. I want to remember you angry.\n"),
        ),
    ),
)

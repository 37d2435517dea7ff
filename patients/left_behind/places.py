"""The left-behind list: where something may still remind a patient, with a guide for each place.

The list is the same for everybody and names nobody. Ticks store the id of their place, so an id is never
changed and never given to another place.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Place:
    """A place to look through. id: letters, digits and hyphens. guide: two to four sentences."""

    id: str
    title: Promise
    guide: Promise


@dataclass(frozen=True)
class Group:
    """A heading of the list, with the places below it."""

    title: Promise
    places: tuple[Place, ...]


GROUPS = (
    Group(
        _("In your home"),
        (
            Place(
                "home-drawers",
                _("Drawers and bedside tables"),
                _(
                    "Small things stay where a hand once put them. Empty one drawer at a time onto a table, "
                    "and put back only what you want to find there. Look behind and under the drawer too."
                ),
            ),
            Place(
                "home-boxes",
                _("Boxes, cellar and attic"),
                _(
                    "What was put away in a hurry is seldom labelled. Open every box once, also those from "
                    "your last move. If there are many, one box a day is enough."
                ),
            ),
            Place(
                "home-walls",
                _("Walls, shelves and books"),
                _(
                    "A frame often holds a second picture behind the first. Leaf through books for photos, "
                    "tickets and words on the first page. Look at the fridge door and the notice board too."
                ),
            ),
            Place(
                "home-clothes",
                _("Wardrobe, bags and pockets"),
                _(
                    "Go through the pockets of coats and bags, and look into suitcases. Put aside what was "
                    "borrowed. Cloth keeps a scent, and one wash may not take all of it."
                ),
            ),
            Place(
                "home-gifts",
                _("Gifts and things of every day"),
                _(
                    "A cup or a lamp can be a gift that you no longer see as one. Walk once through each "
                    "room and ask of each thing where it came from. You may keep what you need: decide it, "
                    "and tick it off."
                ),
            ),
            Place(
                "home-car",
                _("Car, bicycle and desk at work"),
                _(
                    "Look into the glove box, the side pockets and the boot. Navigation keeps the last "
                    "destinations, and a car can keep the contacts of a phone that was once connected. "
                    "Think of your desk at work and the picture on its screen."
                ),
            ),
        ),
    ),
    Group(
        _("In your phone"),
        (
            Place(
                "phone-pictures",
                _("Pictures and films"),
                _(
                    "Search by date and by place too, not only by album. Most phones keep deleted pictures "
                    "for about a month, in an album for what was recently deleted: empty that as well. "
                    "Screenshots, and pictures that came in chats, often have albums of their own."
                ),
            ),
            Place(
                "phone-contacts",
                _("Contacts and favourites"),
                _(
                    "One contact can be stored several times: in the phone, on its card and in an e-mail "
                    "account. Look at the favourites and the emergency contacts too. Without a contact, old "
                    "calls and chats still show the number."
                ),
            ),
            Place(
                "phone-messages",
                _("Text messages and calls"),
                _(
                    "Deleting a text message deletes it on your phone, and not on the other one. The list "
                    "of calls and the voice messages are stored apart: look at each. Some phones keep "
                    "deleted messages for some weeks, as they do pictures."
                ),
            ),
            Place(
                "phone-suggestions",
                _("Memories and suggestions"),
                _(
                    "Many phones show old pictures by themselves: as memories, on the first screen or as a "
                    "background. Look in the settings of the picture app for memories or suggestions. There "
                    "you can usually switch them off, or have a person, a day or a place shown less. The "
                    "keyboard may propose names that you once typed; it can be reset in its settings."
                ),
            ),
            Place(
                "phone-calendar",
                _("Calendar, notes and alarms"),
                _(
                    "Birthdays often come from the contacts, and come back every year. Delete a repeated "
                    "date as a whole series, not only one day of it. Look through notes, voice recordings "
                    "and the names of alarms too."
                ),
            ),
            Place(
                "phone-old",
                _("Old phones, cards and computers"),
                _(
                    "An old phone in a drawer holds what it held on its last day. Look it through before "
                    "you sell it or give it away. Think of cameras, memory cards, disks, and computers that "
                    "you share."
                ),
            ),
        ),
    ),
    Group(
        _("In the cloud"),
        (
            Place(
                "cloud-pictures",
                _("Pictures in the cloud"),
                _(
                    "A phone and its cloud copy to each other. What you delete in one only, while they are "
                    "not connected, can come back from the other: look at both afterwards. The cloud has a "
                    "bin of its own, which is emptied only after some weeks, or by you."
                ),
            ),
            Place(
                "cloud-backups",
                _("Backups"),
                _(
                    "A backup is your phone or computer as it was on one day. Whoever restores an old one "
                    "gets everything back. When you have looked through the rest of this list, make a new "
                    "backup, and then delete the older ones."
                ),
            ),
            Place(
                "cloud-shared",
                _("Shared albums and folders"),
                _(
                    "What somebody else shares belongs to them: you can leave it, and it goes on without "
                    "you. Take your own pictures out before you leave, because afterwards you may not be "
                    "able to. End what you share yourself."
                ),
            ),
            Place(
                "cloud-mail",
                _("E-mail"),
                _(
                    "Search for the name, the address and the names that only you two used. Look in what "
                    "you sent, in the archive and in the bin: deleted mail stays in it for a while. Have "
                    "the address taken out of the suggestions too, by deleting it from the contacts of the "
                    "mail account."
                ),
            ),
            Place(
                "cloud-places",
                _("Maps, routes and shared locations"),
                _(
                    "First end every sharing of your location, in both directions. Maps can keep the way of "
                    "each day, saved places and past searches. All of these can be deleted in the settings, "
                    "usually under history or timeline."
                ),
            ),
        ),
    ),
    Group(
        _("Social media and messengers"),
        (
            Place(
                "social-chats",
                _("Chats"),
                _(
                    "A chat exists on the other person's phone too. Deleting yours does not delete theirs. "
                    "A chat that is only archived can come back with the next message. Think of groups in "
                    "which you both are: you can leave them, or mute them."
                ),
            ),
            Place(
                "social-following",
                _("Friends, and whom you follow"),
                _(
                    "Most services tell nobody when you stop following them. Blocking does more: it usually "
                    "keeps a person out of your suggestions too. Friends whom you share can be muted for a "
                    "while, which nobody notices."
                ),
            ),
            Place(
                "social-posts",
                _("Posts, tags and comments"),
                _(
                    "Look through your own posts, also the archived ones and the drafts. In the pictures of "
                    "others you can usually remove the tag with your name. The picture itself is theirs: "
                    "only they can take it down, and you can ask."
                ),
            ),
            Place(
                "social-memories",
                _("Looking back, and birthdays"),
                _(
                    "Many services show what you posted on this day in earlier years. Look in their "
                    "settings for memories or notifications, and switch them off. Some can leave out one "
                    "person, or a span of days. Birthdays are announced apart, and are switched off apart."
                ),
            ),
            Place(
                "social-accounts",
                _("Music, films and shared accounts"),
                _(
                    "Look for playlists, lists and profiles that you made together. A new profile starts "
                    "without old suggestions. Where you share an account, sign out the other devices, and "
                    "change the password."
                ),
            ),
        ),
    ),
    Group(
        _("With other people"),
        (
            Place(
                "people-friends",
                _("Friends and family"),
                _(
                    "Tell them what you would rather not hear about. You owe nobody a reason, and one "
                    "sentence is enough. You can ask one friend to pass it on to the others."
                ),
            ),
            Place(
                "people-pictures",
                _("Pictures that others have"),
                _(
                    "Others have pictures on their walls, in their albums and on their phones. What they "
                    "keep is theirs. You can ask that it is put away when you visit, and not sent to you."
                ),
            ),
            Place(
                "people-things",
                _("Things lent, and keys"),
                _(
                    "Make two short lists: what of yours is elsewhere, and what is with you that is not "
                    "yours. Think of keys, books and clothes. A friend can carry things both ways, so that "
                    "nobody has to meet."
                ),
            ),
        ),
    ),
    Group(
        _("Paper and money matters"),
        (
            Place(
                "paper-letters",
                _("Letters, cards and diaries"),
                _(
                    "Letters are often kept in a book, a box or a bag. You need not read them again to sort "
                    "them. A diary can have pages to keep beside pages to let go: mark them with a slip of "
                    "paper first."
                ),
            ),
            Place(
                "paper-official",
                _("Contracts and official papers"),
                _(
                    "Somebody may be named as your emergency contact, in an insurance, a power of attorney "
                    "or a will. Have that changed first, and throw nothing away that you need for it. "
                    "Papers that must be kept can go into a closed envelope with a person whom you trust."
                ),
            ),
            Place(
                "paper-payments",
                _("Bank, shops and deliveries"),
                _(
                    "Look for standing orders, saved recipients, shared subscriptions and shared accounts. "
                    "Shops keep addresses, past orders and wish lists: delete the addresses and the lists. "
                    "Old bank statements cannot be changed, and need not be opened."
                ),
            ),
        ),
    ),
)
PLACES = {place.id: place for group in GROUPS for place in group.places}

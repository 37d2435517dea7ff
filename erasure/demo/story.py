"""Joel Barish's memories of Clementine Kruczynski, with their keepsakes: the main case of the demonstration.

Each keepsake is a file in the directories beside this module: pictures, letters and recordings.
"""

from dataclasses import dataclass
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent
PICTURES, LETTERS, RECORDINGS = DIRECTORY / "pictures", DIRECTORY / "letters", DIRECTORY / "recordings"
GREEN, RED, ORANGE, BLUE = "green", "red", "orange", "blue"


@dataclass(frozen=True)
class StoryKeepsake:
    """One keepsake and the file that is uploaded for it.

    kind: a value of Keepsake.Kind. copy_of: the key of the keepsake that this one is a smaller print of.
    words: the text of a letter without a file; `path` is then only its name.
    """

    key: str
    caption: str
    kind: str
    path: Path
    copy_of: str = ""
    words: str = ""

    def content(self) -> bytes:
        """Return the bytes that are uploaded."""
        return self.words.encode() if self.words else self.path.read_bytes()


@dataclass(frozen=True)
class StoryMemory:
    """One memory with its keepsakes.

    day: an ISO date; the map is sorted by it. when: the date in Joel's words, where he does not know the
    day. links: keys of other memories. protected: kept on purpose. childhood: off the map.
    """

    key: str
    title: str
    day: str
    place: str
    intensity: int
    story: str
    keepsakes: tuple[StoryKeepsake, ...]
    when: str = ""
    people: tuple[str, ...] = ("Clementine",)
    links: tuple[str, ...] = ()
    reaction: str = ""
    protected: bool = False
    childhood: bool = False


@dataclass(frozen=True)
class Chapter:
    """A span of time with a name. Joel's chapters follow the color of her hair."""

    name: str
    color: str
    first: str
    last: str


CHAPTERS = (
    Chapter("I Green Revolution", GREEN, "2001-11-01", "2002-05-31"),
    Chapter("II Red Menace", RED, "2002-06-01", "2002-12-31"),
    Chapter("III Agent Orange", ORANGE, "2003-01-01", "2003-07-31"),
    Chapter("IV Blue Ruin", BLUE, "2003-08-01", "2004-02-12"),
)


def photo(key: str, caption: str, file: str, *, copy_of: str = "") -> StoryKeepsake:
    return StoryKeepsake(key, caption, "photo", PICTURES / file, copy_of)


def object_photo(key: str, caption: str, file: str) -> StoryKeepsake:
    """Return a physical object, which is brought as a photograph of it."""
    return StoryKeepsake(key, caption, "object", PICTURES / file)


def letter(key: str, caption: str, file: str) -> StoryKeepsake:
    return StoryKeepsake(key, caption, "letter", LETTERS / file)


def recording(key: str, caption: str, file: str) -> StoryKeepsake:
    return StoryKeepsake(key, caption, "recording", RECORDINGS / file)


MEMORIES: tuple[StoryMemory, ...] = (
    # --- I Green Revolution ---
    StoryMemory(
        "day-one",
        "Day one. The beach at Montauk",
        "2001-11-18",
        "Montauk",
        10,
        "I skipped work and took the wrong train. Somebody in an orange sweater stood at the water.",
        (
            photo(
                "day-one",
                "She was far off, and I drew her instead of talking",
                "woman-alone-on-winter-beach.jpg",
            ),
        ),
        links=("house-on-the-beach", "train"),
    ),
    StoryMemory(
        "train",
        "The train back",
        "2001-11-18",
        "Long Island Rail Road",
        8,
        "She changed seats four times until she sat across from me.",
        (
            photo("train", "The window, with her in it", "green-hair-in-train-window.jpg"),
            object_photo("ticket", "The stub", "two-train-tickets.jpg"),
        ),
        links=("glove",),
    ),
    StoryMemory(
        "glove",
        "One green glove",
        "2001-11-24",
        "Rockville Centre",
        4,
        "It lay on the radiator for a week.",
        (letter("first-note", "The note I did mail", "note-about-a-green-glove.txt"),),
    ),
    StoryMemory(
        "bookshop",
        "Where she works",
        "2001-12-04",
        "the bookshop",
        7,
        "Green hair between the shelves. She asked whether I needed help finding anything.",
        (photo("bookshop", "Aisle four", "green-hair-in-bookshop-aisle.jpg"),),
        links=("lights-out",),
    ),
    StoryMemory(
        "ice",
        "On our backs on the Charles",
        "2001-12-22",
        "Boston",
        10,
        "The ice creaked. I could have stayed exactly there.",
        (
            photo("ice", "From the bridge, on the way back", "two-people-on-frozen-river.jpg"),
            letter("ice-letter", "What she wrote that night", "letter-after-the-ice.txt"),
        ),
        links=("snow-fort", "constellation"),
    ),
    StoryMemory(
        "constellation",
        "The made-up constellation",
        "2001-12-22",
        "Boston",
        6,
        "She asked me to show her the ones I knew, and I did not know any.",
        (photo("constellation", "Only dark, and lights", "constellation-over-dark-shore.jpg"),),
    ),
    StoryMemory(
        "snow-fort",
        "Snow in her hair",
        "2002-01-13",
        "her street",
        6,
        "She came down in her slippers to look at it.",
        (photo("snow-fort", "Her street, half past six", "snowy-street-in-the-evening.jpg"),),
    ),
    StoryMemory(
        "portrait-green",
        "In the window, green",
        "2002-02-10",
        "her kitchen",
        7,
        "She said I draw people as if they were about to leave.",
        (photo("portrait-green", "The light was good", "portrait-at-window-green-hair.jpg"),),
        links=("portrait-red",),
    ),
    StoryMemory(
        "mug",
        "The mug with her face on it",
        "2002-02-14",
        "the mall",
        5,
        "They print them while you wait. She wanted to look annoyed on it.",
        (object_photo("mug", "Chipped since March", "mug-with-portrait.jpg"),),
    ),
    StoryMemory(
        "couch",
        "A Sunday under the blanket",
        "2002-03-17",
        "my couch",
        8,
        "Nothing happened. That is why I brought it.",
        (photo("couch", "Feet", "asleep-on-couch-under-blanket.jpg"),),
    ),
    StoryMemory(
        "potatoes",
        "The potato people",
        "2002-04-21",
        "her kitchen",
        5,
        "She gave them clothes and a marriage.",
        (object_photo("potatoes", "He is the one with the tie", "two-potato-dolls.jpg"),),
    ),
    # --- II Red Menace ---
    StoryMemory(
        "red-day",
        "Red, without warning",
        "2002-06-02",
        "the bookshop",
        7,
        "I walked past her twice.",
        (photo("red-day", "Turned away, laughing", "red-hair-in-bookshop.jpg"),),
    ),
    StoryMemory(
        "drive-in",
        "The drive-in, from outside the fence",
        "2002-06-29",
        "Route 110",
        8,
        "We made up what they were saying.",
        (photo("drive-in", "No sound", "drive-in-with-two-faces-on-screen.jpg"),),
        links=("subtitles",),
    ),
    StoryMemory(
        "subtitles",
        "What they were saying",
        "2002-06-29",
        "Route 110",
        5,
        "She did all the voices. I did the horse.",
        (photo("subtitles", "The other half of the roll", "drive-in-with-horse-on-screen.jpg"),),
    ),
    StoryMemory(
        "elephants",
        "Elephants in the street at night",
        "2002-07-13",
        "34th Street",
        9,
        "They walk them through the tunnel when the circus comes. She had kept it a secret all day.",
        (photo("elephants", "Trunk to tail", "elephants-in-street-at-night.jpg"),),
    ),
    StoryMemory(
        "lake",
        "At the lake with my sister",
        "2002-08-18",
        "upstate",
        6,
        "She taught Nate to swear.",
        (photo("lake", "Nobody is looking at the camera", "jetty-on-lake.jpg"),),
        people=("Clementine", "my sister", "Nate"),
    ),
    StoryMemory(
        "portrait-red",
        "In the window, red",
        "2002-09-08",
        "her kitchen",
        7,
        "The same chair.",
        (photo("portrait-red", "She held still for once", "portrait-in-chair-red-hair.jpg"),),
        links=("portrait-orange",),
    ),
    StoryMemory(
        "mothers-soup",
        "Soup at her mother's",
        "2002-09-29",
        "Queens",
        4,
        "I was given rules.",
        (letter("list", "Found in my pocket", "rules-for-her-mothers-table.txt"),),
        people=("Clementine", "her mother"),
    ),
    StoryMemory(
        "train-montauk",
        "The train to Montauk, again",
        "2002-11-20",
        "Long Island Rail Road",
        8,
        "A year and two days. She slept against the glass.",
        (photo("train-montauk", "Asleep", "asleep-in-train-red-hair.jpg"),),
        links=("train", "house-on-the-beach"),
    ),
    StoryMemory(
        "kitchen",
        "Pasta at midnight",
        "2002-12-08",
        "her kitchen",
        6,
        "She cooked with the radio on and every light.",
        (photo("kitchen", "Steam on the lens", "red-hair-in-kitchen.jpg"),),
    ),
    StoryMemory(
        "snow-globe",
        "The snow globe",
        "2002-12-25",
        "her mother's",
        5,
        "There is a house in it, on a beach. She had it made.",
        (object_photo("snow-globe", "It leaks a little", "snow-globe-with-house.jpg"),),
        links=("house-on-the-beach",),
    ),
    # --- III Agent Orange ---
    StoryMemory(
        "tangerine",
        "Tangerine",
        "2003-02-03",
        "the bathroom",
        9,
        "I held the bowl.",
        (photo("tangerine", "Towel, mirror, orange", "orange-hair-in-bathroom-mirror.jpg"),),
        links=("blue-ruin",),
    ),
    StoryMemory(
        "flowers",
        "The dahlia",
        "2003-02-14",
        "the flea market",
        4,
        "She said roses are for people who apologize.",
        (photo("flowers", "It lasted three weeks", "dahlia.jpg"),),
    ),
    StoryMemory(
        "sand",
        "Sand in our shoes",
        "2003-03-09",
        "Montauk",
        7,
        "For days, in the bed, in the sugar.",
        (photo("sand", "Nobody else was there", "orange-hair-on-beach.jpg"),),
        links=("day-one", "house-on-the-beach"),
    ),
    StoryMemory(
        "skeletons",
        "Skeletons on the electricity bill",
        "2003-03-22",
        "the mailbox",
        6,
        "I paid the bill, and kept it.",
        (letter("skeletons", "Front and back", "letter-with-skeletons.txt"),),
    ),
    StoryMemory(
        "necklace",
        "The necklace I bought too late",
        "2003-04-19",
        "Canal Street",
        6,
        "She had said which one, and I had not listened, and then I had.",
        (object_photo("necklace", "In its box", "necklace-in-box.jpg"),),
    ),
    StoryMemory(
        "flea-market",
        "An argument at the flea market",
        "2003-05-04",
        "Chelsea",
        8,
        "About children. About whether I would be there if I was there.",
        (photo("flea-market", "I took it before", "flea-market.jpg"),),
    ),
    StoryMemory(
        "closed-shop",
        "Closed like a shop",
        "2003-06-01",
        "the Eakins' party",
        7,
        "In front of everybody.",
        (letter("sorry", "It came on Tuesday", "apology.txt"),),
        people=("Clementine", "Rob", "Carrie"),
        links=("street",),
    ),
    StoryMemory(
        "portrait-orange",
        "In the window, orange",
        "2003-06-15",
        "her kitchen",
        6,
        "She would not sit down.",
        (
            photo(
                "portrait-orange", "Blurred, and better for it", "blurred-portrait-at-window-orange-hair.jpg"
            ),
        ),
    ),
    StoryMemory(
        "cassette",
        "Side B",
        "2003-07-06",
        "my car",
        5,
        "She recorded over my mother.",
        (object_photo("cassette", "No label", "cassette-side-b.jpg"),),
    ),
    StoryMemory(
        "before-the-party",
        "Before the party",
        "2003-07-24",
        "her room",
        5,
        "She asked which one. I said the other.",
        (photo("before-the-party", "Both dresses", "orange-hair-between-two-dresses.jpg"),),
    ),
    # --- IV Blue Ruin ---
    StoryMemory(
        "blue-ruin",
        "Blue Ruin",
        "2003-08-09",
        "the bathroom",
        8,
        "It is the name of a gin. She read it to me from the label.",
        (photo("blue-ruin", "Blue on the tiles", "blue-hair-over-bathroom-basin.jpg"),),
    ),
    StoryMemory(
        "lights-out",
        "When the lights went off early",
        "2003-08-14",
        "the bookshop",
        9,
        "The whole coast was dark. We sat on the floor in Travel.",
        (photo("lights-out", "Flashlight", "bookshop-by-flashlight.jpg"),),
        links=("bookshop",),
    ),
    StoryMemory(
        "chinese-dinner",
        "Dinner, not talking",
        "2003-09-27",
        "Kang's",
        7,
        "Are we the dining dead, she said.",
        (photo("chinese-dinner", "The lamps", "dinner-under-lanterns.jpg"),),
    ),
    StoryMemory(
        "street",
        "Up and down her street",
        "2003-10-18",
        "her street",
        8,
        "Until there was no gas.",
        (
            letter("angry", "Never given", "angry-letter-never-given.txt"),
            photo("street", "Every window somebody else's", "lit-windows-at-night.jpg"),
        ),
    ),
    StoryMemory(
        "car",
        "The argument in the car",
        "2003-11-08",
        "my car",
        9,
        "The dent is still there.",
        (photo("car", "Rain", "car-in-rain-at-night.jpg"),),
        links=("street",),
    ),
    StoryMemory(
        "footprints",
        "Footprints, Montauk",
        "2003-11-30",
        "Montauk",
        7,
        "She walked on the crust and I broke through.",
        (photo("footprints", "Two kinds", "footprints-in-snow-on-beach.jpg"),),
        links=("sand",),
    ),
    StoryMemory(
        "house-on-the-beach",
        "The house that was nobody's",
        "2003-12-06",
        "Montauk",
        10,
        "We climbed in. She lit every candle. I was afraid, and I walked out, and I wish I had stayed.",
        (photo("house-on-the-beach", "From the dunes", "house-on-beach-at-dusk.jpg"),),
        reaction="Did not want to let go of this one.",
    ),
    StoryMemory(
        "fridge",
        "A note on the fridge",
        "2003-12-19",
        "my kitchen",
        3,
        "Milk. You. Call your sister.",
        (photo("fridge", "Three magnets", "note-on-fridge.jpg"),),
    ),
    StoryMemory(
        "new-year",
        "The skyline, one minute past",
        "2004-01-01",
        "the roof",
        6,
        "She did not make a wish, she said, she made a list.",
        (photo("new-year", "Too much light", "fireworks-over-skyline.jpg"),),
    ),
    StoryMemory(
        "terms",
        "Terms, as between her and me",
        "2004-01-09",
        "the bookshop",
        6,
        "She typed it on the register's computer. I never signed page two.",
        (letter("terms", "Two pages, mailed to me at work", "terms-of-two-pages.pdf"),),
    ),
    StoryMemory(
        "sister-letter",
        "The letter from my sister",
        "2004-01-18",
        "the mailbox",
        5,
        "It mentions her. It is from my sister, and I keep it.",
        (letter("sister", "Kept", "letter-from-his-sister.txt"),),
        people=("my sister", "Clementine"),
        protected=True,
    ),
    StoryMemory(
        "machine",
        "Her message on the machine",
        "2004-01-25",
        "my apartment",
        8,
        "I was standing next to it.",
        (recording("machine", "The tape, copied over", "message-on-answering-machine.mp3"),),
        links=("train-montauk",),
    ),
    StoryMemory(
        "bookshop-last",
        "She did not know me",
        "2004-02-10",
        "the bookshop",
        10,
        "She asked whether I needed help finding anything.",
        (photo("bookshop-last", "Through the glass, from the street", "blue-hair-in-bookshop-window.jpg"),),
        links=("bookshop", "lights-out"),
    ),
    StoryMemory(
        "unsent",
        "What I wrote for the clinic",
        "2004-02-12",
        "my desk",
        8,
        "They asked me to say what each thing is.",
        (letter("unsent", "To her", "letter-written-for-the-clinic.txt"),),
        links=("ice", "glove", "constellation"),
    ),
    # --- Childhood: not of her, and off the map ---
    StoryMemory(
        "under-the-table",
        "Under the kitchen table",
        "1974-06-01",
        "home",
        4,
        "The linoleum, and my mother's shoes.",
        (photo("under-the-table", "From below", "under-kitchen-table.jpg"),),
        when="about 1974",
        people=("my mother",),
        childhood=True,
    ),
    StoryMemory(
        "raincoat",
        "The yellow raincoat",
        "1976-10-01",
        "home",
        3,
        "It was too big on purpose.",
        (photo("raincoat", "Puddle", "child-in-yellow-raincoat.jpg"),),
        when="fall 1976",
        people=("my sister",),
        childhood=True,
    ),
    StoryMemory(
        "bicycle",
        "The bicycle without its bell",
        "1978-07-01",
        "Wilson Street",
        3,
        "I took it off, and put it back.",
        (photo("bicycle", "Mine", "bicycle-at-door.jpg"),),
        when="summer 1978",
        people=("my sister",),
        childhood=True,
    ),
    StoryMemory(
        "grandmothers-house",
        "My grandmother's house by the sea",
        "1979-08-01",
        "the shore",
        5,
        "I put a picture here that does not belong. I do not remember doing it.",
        (
            photo("grandmothers-house", "The porch", "porch-by-the-sea.jpg"),
            photo(
                "hidden-copy",
                "Found between the pages",
                "small-print-of-house-on-beach-at-dusk.jpg",
                copy_of="house-on-the-beach",
            ),
        ),
        when="about 1979",
        people=("my grandmother",),
        childhood=True,
    ),
)


def targets() -> list[StoryMemory]:
    """Return the memories that will be erased, oldest first."""
    return [memory for memory in MEMORIES if not memory.protected and not memory.childhood]

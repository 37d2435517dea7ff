"""The demonstration's case, as data: what Joel Barish brings of Clementine, and a few days of his childhood.

Scenes name paintings (erasure/demo/paintings); the same scene with another seed is another picture.
"""

from dataclasses import dataclass

GREEN, RED, ORANGE, BLUE = "green", "red", "orange", "blue"


@dataclass(frozen=True)
class Thing:
    """One keepsake. `scene` is painted; a letter has `words` or `pages` instead, a recording what is `said`.

    `copy_of`: another thing's key.
    """

    key: str
    caption: str
    scene: str = ""
    seed: int = 0
    kind: str = "photo"
    words: str = ""
    copy_of: str = ""
    upright: bool = False
    pages: tuple[str, ...] = ()
    said: str = ""


@dataclass(frozen=True)
class Moment:
    """One memory. `day` is what it is sorted by, `when` what Joel says."""

    key: str
    title: str
    day: str
    place: str
    intensity: int
    story: str
    things: tuple[Thing, ...]
    when: str = ""
    people: tuple[str, ...] = ("Clementine",)
    links: tuple[str, ...] = ()
    reaction: str = ""
    kept: bool = False
    childhood: bool = False


@dataclass(frozen=True)
class Chapter:
    """A span that Joel names by the color of her hair."""

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


def photo(key: str, caption: str, scene: str, seed: int = 0, *, upright: bool = False) -> Thing:
    return Thing(key, caption, scene, seed, upright=upright)


def thing(key: str, caption: str, scene: str, seed: int = 0) -> Thing:
    return Thing(key, caption, scene, seed, kind="object")


def letter(key: str, caption: str, words: str) -> Thing:
    return Thing(key, caption, kind="letter", words=words)


def typed(key: str, caption: str, *pages: str) -> Thing:
    return Thing(key, caption, kind="letter", pages=pages)


def recording(key: str, caption: str, said: str, seed: int) -> Thing:
    return Thing(key, caption, seed=seed, kind="recording", said=said)


TERMS = (
    """TERMS, as between

  C. KRUCZYNSKI (hereafter: me)
  J. BARISH     (hereafter: you)


1. You will talk. Not always. But when I
   ask what you are thinking you will not
   say: nothing.

2. I will not read what you write in the
   notebook. I will want to. You will know
   that I want to, and say one line of it
   out loud, on Sundays.

3. Neither party goes home from a party
   without the other party.

4. The orange blanket is common property.

5. If it stops being good we go back to the
   beach, in any weather, and stand there
   until one of us laughs.
""",
    """6. Nobody is closed like a shop. Nobody is
   called a drunk. These are struck from
   the record, and the record stays.

7. You may draw me when I sleep. You may
   not make me look peaceful.

8. I get bored. You get quiet. This was
   known to both parties on the first day,
   on the train, and both said: okay.


   signed   ............................
            (me, in green ink)


   signed   ............................
            (you, when you come over)
""",
)
MACHINE = (
    "Joely, it is me. You are there, I can hear you not picking up. I am at the station. It snowed on the "
    "sign, so it only says: tauk. I thought you would like that. Are you coming, or am I having the sea "
    "alone? Okay. Okay. Bye."
)
LETTERS = {
    "first-note": """C,

You left your glove in my coat. It is green and far too small, and it has been
lying on the radiator all week like something that lives there now. I do not
know how gloves work between people who have met once on a beach. Do I mail it?
Do I carry it around until I see you? I have carried it around.

There is a train at ten past nine on Saturday. I will be on it, in the last
car, with one glove. I am told I am quiet company. You talked enough for both
of us, and I did not mind, and I have been trying to remember what the sea
sounded like under it.

J.""",
    "ice": """Joel,

I cannot sleep. My back is still cold from the river and I keep thinking of how
you lay down on it as though it might wake somebody. It creaked, and you
stopped breathing, and then you laughed. I did not know you had that laugh. I
want you to know that I heard it and that I am going to keep it.

You pointed out a constellation you had made up. I looked for it from my window
tonight and it was there.

Come over when you read this. Bring nothing. Bring the orange blanket.

Clem""",
    "list": """THINGS JOEL BARISH IS ALLOWED TO SAY AT MY MOTHER'S

That the soup is good. That the soup is interesting. That he works near the
park. That he draws. (Do not show the drawings.) That he has read it. That he
has not read it, but means to. Nothing about the hair. Nothing at all about the
potatoes. That we met on a beach, in winter, and that it was sensible.

If she asks about the future he may look at me, and I will drop a spoon.""",
    "sorry": """Joely,

I said the thing about you being closed like a shop. I said it in front of
everybody, with a drink in my hand, and you went so quiet that the room heard
it. I am sorry. I am sorry in the plain way, without a but.

I only wanted you to be on my side of the table. You always sit so you can see
the door.

I bought you the good pens. They are in your coat, the inside pocket, where the
glove was.

C.""",
    "angry": """Clementine,

It is two in the morning, and you said you would call. I am not angry that you
were out. I am angry that I lay here listening to the elevator like a dog. I am
angry that when you do come in you will smell of smoke and snow, and be so
alive that I will have nothing to say, and you will say: say something, Joel.

I am saying it here. I was afraid. I am tired of the street you come home on.
I drove up and down it until there was no gas, and every window in it was
somebody else's.

I will not give you this. I never do.

J.""",
    "skeletons": """Dear skeleton,

Enclosed please find one skeleton, for your collection, by a collector. He is
dancing because he has nothing left to hold him back. She is dancing because
she was asked. I drew them on the back of the electricity bill so that you
would have to keep both.

Do you still like me when there is less of me? I mean when I am only bones and
a bad mood. I would like you as a spine. I would like you as a footprint.

Pay the bill.

Yours to the marrow,
Clem""",
    "unsent": """Clementine,

They asked me to bring everything and write down what each thing is. So: this
is a letter. It is to you. It is the only one in which I know how it ends.

I wanted to ask what you would have done with the green glove if I had never
mailed myself along with it. I wanted to ask whether the constellation is
still there. I think I would like to keep that. They say it does not work so.

It was good. I should have said it while it was. It was good on the ice, and in
the kitchen, and on the floor of the bookshop when the lights went off early.

Joel""",
    "sister": """Dear Joel,

Mom's hip is better and she has started to complain again, so we are all
relieved. The boys have your old bicycle. They have taken the bell off it, as
you did, and put it back, as you did.

You sounded far away on Sunday. I am not going to say anything about her. She
was kind to me at the lake, and she taught Nate to swear in a way that has
served him well. Whatever you two decide, you are my brother, and there is a
bed here with the window you like.

Come for the week after Valentine's. Bring the drawings. We will not talk about
it unless it snows.

Your sister""",
}

MOMENTS: tuple[Moment, ...] = (
    # --- I Green Revolution ---
    Moment(
        "day-one",
        "Day one. The beach at Montauk",
        "2001-11-18",
        "Montauk",
        10,
        "I skipped work and took the wrong train. Somebody in an orange sweater stood at the water.",
        (photo("day-one", "She was far off, and I drew her instead of talking", "beach_far", 1),),
        links=("house-on-the-beach", "train"),
    ),
    Moment(
        "train",
        "The train back",
        "2001-11-18",
        "Long Island Rail Road",
        8,
        "She changed seats four times until she sat across from me.",
        (
            photo("train", "The window, with her in it", "train_window", 2),
            thing("ticket", "The stub", "tickets", 1),
        ),
        links=("glove",),
    ),
    Moment(
        "glove",
        "One green glove",
        "2001-11-24",
        "Rockville Centre",
        4,
        "It lay on the radiator for a week.",
        (letter("first-note", "The note I did mail", LETTERS["first-note"]),),
    ),
    Moment(
        "bookshop",
        "Where she works",
        "2001-12-04",
        "the bookshop",
        7,
        "Green hair between the shelves. She asked whether I needed help finding anything.",
        (photo("bookshop", "Aisle four", "bookshop", 1, upright=True),),
        links=("lights-out",),
    ),
    Moment(
        "ice",
        "On our backs on the Charles",
        "2001-12-22",
        "Boston",
        10,
        "The ice creaked. I could have stayed exactly there.",
        (
            photo("ice", "From the bridge, on the way back", "frozen_river", 1),
            letter("ice-letter", "What she wrote that night", LETTERS["ice"]),
        ),
        links=("snow-fort", "constellation"),
    ),
    Moment(
        "constellation",
        "The made-up constellation",
        "2001-12-22",
        "Boston",
        6,
        "She asked me to show her the ones I knew, and I did not know any.",
        (photo("constellation", "Only dark, and lights", "stars", 3),),
    ),
    Moment(
        "snow-fort",
        "Snow in her hair",
        "2002-01-13",
        "her street",
        6,
        "She came down in her slippers to look at it.",
        (photo("snow-fort", "Her street, half past six", "snow_street", 1),),
    ),
    Moment(
        "portrait-green",
        "In the window, green",
        "2002-02-10",
        "her kitchen",
        7,
        "She said I draw people as if they were about to leave.",
        (photo("portrait-green", "The light was good", "portrait_green", 1, upright=True),),
        links=("portrait-red",),
    ),
    Moment(
        "mug",
        "The mug with her face on it",
        "2002-02-14",
        "the mall",
        5,
        "They print them while you wait. She wanted to look annoyed on it.",
        (thing("mug", "Chipped since March", "mug", 1),),
    ),
    Moment(
        "couch",
        "A Sunday under the blanket",
        "2002-03-17",
        "my couch",
        8,
        "Nothing happened. That is why I brought it.",
        (photo("couch", "Feet", "couch", 1),),
    ),
    Moment(
        "potatoes",
        "The potato people",
        "2002-04-21",
        "her kitchen",
        5,
        "She gave them clothes and a marriage.",
        (thing("potatoes", "He is the one with the tie", "potatoes", 1),),
    ),
    # --- II Red Menace ---
    Moment(
        "red-day",
        "Red, without warning",
        "2002-06-02",
        "the bookshop",
        7,
        "I walked past her twice.",
        (photo("red-day", "Turned away, laughing", "hair_red", 1, upright=True),),
    ),
    Moment(
        "drive-in",
        "The drive-in, from outside the fence",
        "2002-06-29",
        "Route 110",
        8,
        "We made up what they were saying.",
        (photo("drive-in", "No sound", "drive_in", 1),),
        links=("subtitles",),
    ),
    Moment(
        "subtitles",
        "What they were saying",
        "2002-06-29",
        "Route 110",
        5,
        "She did all the voices. I did the horse.",
        (photo("subtitles", "The other half of the roll", "drive_in", 5),),
    ),
    Moment(
        "elephants",
        "Elephants in the street at night",
        "2002-07-13",
        "34th Street",
        9,
        "They walk them through the tunnel when the circus comes. She had kept it a secret all day.",
        (photo("elephants", "Trunk to tail", "elephants", 1),),
    ),
    Moment(
        "lake",
        "At the lake with my sister",
        "2002-08-18",
        "upstate",
        6,
        "She taught Nate to swear.",
        (photo("lake", "Nobody is looking at the camera", "lake", 1),),
        people=("Clementine", "my sister", "Nate"),
    ),
    Moment(
        "portrait-red",
        "In the window, red",
        "2002-09-08",
        "her kitchen",
        7,
        "The same chair.",
        (photo("portrait-red", "She held still for once", "portrait_red", 1, upright=True),),
        links=("portrait-orange",),
    ),
    Moment(
        "mothers-soup",
        "Soup at her mother's",
        "2002-09-29",
        "Queens",
        4,
        "I was given rules.",
        (letter("list", "Found in my pocket", LETTERS["list"]),),
        people=("Clementine", "her mother"),
    ),
    Moment(
        "train-montauk",
        "The train to Montauk, again",
        "2002-11-20",
        "Long Island Rail Road",
        8,
        "A year and two days. She slept against the glass.",
        (photo("train-montauk", "Asleep", "train_red", 1),),
        links=("train", "house-on-the-beach"),
    ),
    Moment(
        "kitchen",
        "Pasta at midnight",
        "2002-12-08",
        "her kitchen",
        6,
        "She cooked with the radio on and every light.",
        (photo("kitchen", "Steam on the lens", "kitchen_red", 1),),
    ),
    Moment(
        "snow-globe",
        "The snow globe",
        "2002-12-25",
        "her mother's",
        5,
        "There is a house in it, on a beach. She had it made.",
        (thing("snow-globe", "It leaks a little", "snow_globe", 1),),
        links=("house-on-the-beach",),
    ),
    # --- III Agent Orange ---
    Moment(
        "tangerine",
        "Tangerine",
        "2003-02-03",
        "the bathroom",
        9,
        "I held the bowl.",
        (photo("tangerine", "Towel, mirror, orange", "portrait_orange", 1, upright=True),),
        links=("blue-ruin",),
    ),
    Moment(
        "flowers",
        "The dahlia",
        "2003-02-14",
        "the flea market",
        4,
        "She said roses are for people who apologize.",
        (photo("flowers", "It lasted three weeks", "dahlia", 1),),
    ),
    Moment(
        "sand",
        "Sand in our shoes",
        "2003-03-09",
        "Montauk",
        7,
        "For days, in the bed, in the sugar.",
        (photo("sand", "Nobody else was there", "beach_orange", 1),),
        links=("day-one", "house-on-the-beach"),
    ),
    Moment(
        "skeletons",
        "Skeletons on the electricity bill",
        "2003-03-22",
        "the mailbox",
        6,
        "I paid the bill, and kept it.",
        (letter("skeletons", "Front and back", LETTERS["skeletons"]),),
    ),
    Moment(
        "necklace",
        "The necklace I bought too late",
        "2003-04-19",
        "Canal Street",
        6,
        "She had said which one, and I had not listened, and then I had.",
        (thing("necklace", "In its box", "necklace", 1),),
    ),
    Moment(
        "flea-market",
        "An argument at the flea market",
        "2003-05-04",
        "Chelsea",
        8,
        "About children. About whether I would be there if I was there.",
        (photo("flea-market", "I took it before", "market", 1),),
    ),
    Moment(
        "closed-shop",
        "Closed like a shop",
        "2003-06-01",
        "the Eakins' party",
        7,
        "In front of everybody.",
        (letter("sorry", "It came on Tuesday", LETTERS["sorry"]),),
        people=("Clementine", "Rob", "Carrie"),
        links=("street",),
    ),
    Moment(
        "portrait-orange",
        "In the window, orange",
        "2003-06-15",
        "her kitchen",
        6,
        "She would not sit down.",
        (photo("portrait-orange", "Blurred, and better for it", "portrait_orange", 4, upright=True),),
    ),
    Moment(
        "cassette",
        "Side B",
        "2003-07-06",
        "my car",
        5,
        "She recorded over my mother.",
        (thing("cassette", "No label", "cassette", 1),),
    ),
    Moment(
        "before-the-party",
        "Before the party",
        "2003-07-24",
        "her room",
        5,
        "She asked which one. I said the other.",
        (photo("before-the-party", "Both dresses", "hair_orange", 2, upright=True),),
    ),
    # --- IV Blue Ruin ---
    Moment(
        "blue-ruin",
        "Blue Ruin",
        "2003-08-09",
        "the bathroom",
        8,
        "It is the name of a gin. She read it to me from the label.",
        (photo("blue-ruin", "Blue on the tiles", "portrait_blue", 1, upright=True),),
    ),
    Moment(
        "lights-out",
        "When the lights went off early",
        "2003-08-14",
        "the bookshop",
        9,
        "The whole coast was dark. We sat on the floor in Travel.",
        (photo("lights-out", "Flashlight", "bookshop_dark", 1, upright=True),),
        links=("bookshop",),
    ),
    Moment(
        "chinese-dinner",
        "Dinner, not talking",
        "2003-09-27",
        "Kang's",
        7,
        "Are we the dining dead, she said.",
        (photo("chinese-dinner", "The lamps", "restaurant", 1),),
    ),
    Moment(
        "street",
        "Up and down her street",
        "2003-10-18",
        "her street",
        8,
        "Until there was no gas.",
        (
            letter("angry", "Never given", LETTERS["angry"]),
            photo("street", "Every window somebody else's", "lit_windows", 1),
        ),
    ),
    Moment(
        "car",
        "The argument in the car",
        "2003-11-08",
        "my car",
        9,
        "The dent is still there.",
        (photo("car", "Rain", "car_rain", 1),),
        links=("street",),
    ),
    Moment(
        "footprints",
        "Footprints, Montauk",
        "2003-11-30",
        "Montauk",
        7,
        "She walked on the crust and I broke through.",
        (photo("footprints", "Two kinds", "footprints", 1),),
        links=("sand",),
    ),
    Moment(
        "house-on-the-beach",
        "The house that was nobody's",
        "2003-12-06",
        "Montauk",
        10,
        "We climbed in. She lit every candle. I was afraid, and I walked out, and I wish I had stayed.",
        (photo("house-on-the-beach", "From the dunes", "beach_house", 1),),
        reaction="Did not want to let go of this one.",
    ),
    Moment(
        "fridge",
        "A note on the fridge",
        "2003-12-19",
        "my kitchen",
        3,
        "Milk. You. Call your sister.",
        (photo("fridge", "Three magnets", "fridge_note", 1),),
    ),
    Moment(
        "new-year",
        "The skyline, one minute past",
        "2004-01-01",
        "the roof",
        6,
        "She did not make a wish, she said, she made a list.",
        (photo("new-year", "Too much light", "skyline", 1),),
    ),
    Moment(
        "terms",
        "Terms, as between her and me",
        "2004-01-09",
        "the bookshop",
        6,
        "She typed it on the register's computer. I never signed page two.",
        (typed("terms", "Two pages, mailed to me at work", *TERMS),),
    ),
    Moment(
        "sister-letter",
        "The letter from my sister",
        "2004-01-18",
        "the mailbox",
        5,
        "It mentions her. It is from my sister, and I keep it.",
        (letter("sister", "Kept", LETTERS["sister"]),),
        people=("my sister", "Clementine"),
        kept=True,
    ),
    Moment(
        "machine",
        "Her message on the machine",
        "2004-01-25",
        "my apartment",
        8,
        "I was standing next to it.",
        (recording("machine", "The tape, copied over", MACHINE, 4),),
        links=("train-montauk",),
    ),
    Moment(
        "bookshop-last",
        "She did not know me",
        "2004-02-10",
        "the bookshop",
        10,
        "She asked whether I needed help finding anything.",
        (photo("bookshop-last", "Through the glass, from the street", "bookshop_blue", 2, upright=True),),
        links=("bookshop", "lights-out"),
    ),
    Moment(
        "unsent",
        "What I wrote for the clinic",
        "2004-02-12",
        "my desk",
        8,
        "They asked me to say what each thing is.",
        (letter("unsent", "To her", LETTERS["unsent"]),),
        links=("ice", "glove", "constellation"),
    ),
    # --- Childhood: not of her, and off the map ---
    Moment(
        "under-the-table",
        "Under the kitchen table",
        "1974-06-01",
        "home",
        4,
        "The linoleum, and my mother's shoes.",
        (photo("under-the-table", "From below", "under_table", 1),),
        when="about 1974",
        people=("my mother",),
        childhood=True,
    ),
    Moment(
        "raincoat",
        "The yellow raincoat",
        "1976-10-01",
        "home",
        3,
        "It was too big on purpose.",
        (photo("raincoat", "Puddle", "raincoat", 1, upright=True),),
        when="fall 1976",
        people=("my sister",),
        childhood=True,
    ),
    Moment(
        "bicycle",
        "The bicycle without its bell",
        "1978-07-01",
        "Wilson Street",
        3,
        "I took it off, and put it back.",
        (photo("bicycle", "Mine", "bicycle", 1),),
        when="summer 1978",
        people=("my sister",),
        childhood=True,
    ),
    Moment(
        "grandmothers-house",
        "My grandmother's house by the sea",
        "1979-08-01",
        "the shore",
        5,
        "I put a picture here that does not belong. I do not remember doing it.",
        (
            photo("grandmothers-house", "The porch", "porch", 1),
            Thing("hidden-copy", "Found between the pages", copy_of="house-on-the-beach"),
        ),
        when="about 1979",
        people=("my grandmother",),
        childhood=True,
    ),
)


def targets() -> list[Moment]:
    """The memories that will be erased, oldest first."""
    return [moment for moment in MOMENTS if not moment.kept and not moment.childhood]

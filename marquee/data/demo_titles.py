"""Invent movie titles for the demo data, from words by genre.

No real movie is meant; the places do not exist.
"""

from collections.abc import Iterator

import numpy as np

GENRE_WORDS: dict[str, str] = {
    "Action": "Gauntlet Ironclad Pursuit Overpass Detonator Convoy Vanguard Breakwater",
    "Adventure": "Atlas Caravan Compass Expedition Galleon Headland Rapids Summit",
    "Animation": "Inkpot Marionette Paintbrush Puddle Rooster Teapot Tinker Whisker",
    "Children": "Acorn Bathtub Kite Mitten Pancake Puppet Snowball Treehouse",
    "Comedy": "Bagpipe Cousin Dentist Houseguest Landlord Neighbour Understudy Waiter",
    "Crime": "Alibi Cashbox Fence Getaway Informant Ledger Pickpocket Safehouse",
    "Documentary": "Archive Beekeeper Estuary Harvest Lighthouse Lowland Migration Workshop",
    "Drama": "Almanac Daughter Ferryman Homecoming Inheritance Orchard Promise Widow",
    "Fantasy": "Changeling Dragonfly Enchanter Griffin Moonstone Rune Spellbook Wyvern",
    "Film-Noir": "Ashtray Backstreet Doorman Nightcap Shadow Stairwell Trenchcoat Witness",
    "Horror": "Attic Cellar Crypt Gravedigger Hollow Revenant Scarecrow Séance",
    "Musical": "Ballad Carousel Chorus Footlight Melody Overture Serenade Tambourine",
    "Mystery": "Cipher Envelope Footprint Keyhole Locket Portrait Riddle Visitor",
    "Romance": "Bouquet Courtship Fiancée Honeymoon Letter Orchid Rendezvous Valentine",
    "Sci-Fi": "Android Asteroid Clone Hologram Orbit Quasar Starship Terraformer",
    "Thriller": "Blackout Countdown Deadline Hostage Ransom Stalker Tripwire Undertow",
    "War": "Battalion Bugle Frontier Garrison Medic Outpost Sentinel Trench",
    "Western": "Bandolier Canyon Drifter Gulch Mustang Prospector Saddle Stagecoach",
}
_ADJECTIVES = (
    "Amber Borrowed Brazen Copper Crooked Distant Drowsy Eleventh Faded Forgotten Gilded Hasty "
    "Hidden Humble Idle Indigo Ivory Jagged Kindly Lopsided Lucky Marble Muted Narrow Ninth "
    "Painted Paper Patient Pewter Quiet Reluctant Restless Rusty Saffron Second Silent Sleepless "
    "Spare Stubborn Sunken Tangled Thirteenth Unlikely Velvet Wandering Wicked Wooden Zigzag"
)
_PLACES = (
    "Ålmora Brindlewick Corvandale Dunmarrow Eskerby Fennimar Galdora Hesperley Isquith Jorvane "
    "Kelmarsh-on-Orr Luméra Morrowfen Nantivar Orrindale Pellucia Quillhaven Rostrevane Sélune "
    "Tarnwick Umbervale Veskar Wexilor Yarrowmere Zephrine"
)
_ROMAN = ("", " II", " III", " IV", " V", " VI")


def invent_names(genre: str, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Yield different names of one genre with their article or "".

    An example is ("Copper Orbit", "The").
    """
    words = GENRE_WORDS[genre].split()
    adjectives, places = _ADJECTIVES.split(), _PLACES.split()
    names = [(f"{adjective} {word}", "The") for adjective in adjectives for word in words]
    names += [(f"{word} of {place}", "") for place in places for word in words]
    for row in rng.permutation(len(names)):
        name, article = names[row]
        yield name, article if rng.random() < 0.6 else ""


def file_title(name: str, article: str, part: int, year: int | None) -> str:
    """Return the title as MovieLens writes it.

    "Copper Orbit II, The (1987)" is a second part.
    """
    title = name + _ROMAN[part - 1]
    title = f"{title}, {article}" if article else title
    return title if year is None else f"{title} ({year})"

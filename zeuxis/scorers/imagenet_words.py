"""Everyday words for groups of ImageNet's 1000 classes: "cat" is five breeds, "dog" 118, and no class is called either.

The names of the classes themselves come from `zeuxis.nets.imagenet_classes`; a word of these tables goes before them
("plane" there is a carpenter's). `a..b` are all classes from a to b in ImageNet's order.
"""

from __future__ import annotations

from functools import cache

from zeuxis.nets import imagenet_classes

# Words -> the kinds that ImageNet tells apart.
GROUPS = {
    "cat, kitten, kitty, tomcat": "tabby..Egyptian cat",
    "dog, puppy": "Chihuahua..Mexican hairless",
    "poodle": "toy poodle..standard poodle",
    "corgi": "Pembroke, Cardigan",
    "bird": "cock..great grey owl, black grouse..black swan, white stork..albatross",
    "parrot": "African grey..lorikeet",
    "duck": "drake, red-breasted merganser",
    "chicken": "cock, hen",
    "rooster": "cock",
    "fish": "tench..stingray, barracouta..puffer",
    "shark": "great white shark..hammerhead",
    "frog, toad": "bullfrog..tailed frog",
    "salamander": "European fire salamander..axolotl",
    "turtle, tortoise": "loggerhead..box turtle",
    "lizard": "banded gecko..Komodo dragon",
    "crocodile, alligator": "African crocodile, American alligator",
    "snake": "thunder snake..sidewinder",
    "spider": "black and gold garden spider..wolf spider",
    "beetle": "tiger beetle..weevil",
    "butterfly": "admiral..lycaenid",
    "insect, bug": "tiger beetle..lycaenid",
    "crab": "Dungeness crab..king crab, hermit crab",
    "lobster": "American lobster, spiny lobster",
    "wolf": "timber wolf..red wolf",
    "fox": "red fox..grey fox",
    "bear": "brown bear..sloth bear",
    "rabbit, bunny": "wood rabbit..Angora",
    "sheep": "ram, bighorn",
    "antelope": "hartebeest..gazelle",
    "elephant": "Indian elephant, African elephant",
    "monkey": "guenon..squirrel monkey",
    "ape": "orangutan..siamang",
    "whale": "grey whale, killer whale",
    "car, automobile": "beach wagon, cab, convertible, jeep, limousine, minivan, Model T, racer, sports car",
    "truck, lorry": "fire engine, garbage truck, moving van, pickup, tow truck, trailer truck",
    "van": "minivan, moving van, police van",
    "bus": "minibus, school bus, trolleybus",
    "train": "bullet train, electric locomotive, passenger car, steam locomotive",
    "locomotive": "electric locomotive, steam locomotive",
    "bicycle, bike": "bicycle-built-for-two, mountain bike",
    "motorcycle, motorbike": "moped, motor scooter",
    "airplane, aeroplane, plane, aircraft, jet": "airliner, warplane",
    "ship, boat, vessel": "aircraft carrier, canoe, catamaran, container ship, fireboat, gondola, lifeboat, liner, "
    "pirate, schooner, speedboat, trimaran, yawl",
    "sailboat, sailing boat, sailing ship": "catamaran, schooner, trimaran, yawl",
    "shoe, footwear": "clog, cowboy boot, Loafer, running shoe, sandal",
    "watch, wristwatch": "digital watch, stopwatch",
    "clock": "analog clock, digital clock, wall clock",
    "handbag": "mailbag, purse",
    "bag": "backpack, mailbag, plastic bag, purse",
    "sunglasses": "sunglass, sunglasses",
    "hat": "bearskin, bonnet, cowboy hat, sombrero",
    "tie, necktie": "bolo tie, bow tie, Windsor tie",
    "phone, telephone": "cellular telephone, dial telephone, pay-phone",
    "computer": "desktop computer, hand-held computer, laptop, notebook",
    "camera": "Polaroid camera, reflex camera",
    "guitar": "acoustic guitar, electric guitar",
    "piano": "grand piano, upright",
    "bottle": "beer bottle, pill bottle, pop bottle, water bottle, wine bottle",
    "chair": "barber chair, folding chair, rocking chair",
    "bridge": "steel arch bridge, suspension bridge, viaduct",
    "fruit": "Granny Smith..pomegranate",
    "flower": "daisy, yellow lady's slipper",
}
# Words without a class of theirs -> the nearest classes. A judge that uses these says so.
NEAREST = {
    "deer, stag, doe, fawn, moose, elk, reindeer, caribou": "hartebeest..gazelle",
    "horse, pony, foal, stallion, mare, colt, racehorse": "sorrel",
    "mutt, mongrel, hound, dachshund, bulldog, labradoodle": "Chihuahua..Mexican hairless",
    "sparrow, crow, raven, pigeon, dove, seagull, gull, hawk, falcon, swallow, songbird, woodpecker, turkey": "cock.."
    "great grey owl, black grouse..black swan, white stork..albatross",
    "sedan, saloon car, hatchback, coupe, roadster, suv": "beach wagon, cab, convertible, jeep, limousine, minivan, "
    "Model T, racer, sports car",
    "semi truck, dump truck, delivery truck, monster truck, flatbed truck": "fire engine, garbage truck, moving van, "
    "pickup, tow truck, trailer truck",
    "biplane, seaplane, jetliner, jumbo jet, bomber, fighter jet, fighter plane": "airliner, warplane",
    "cargo ship, freighter, oil tanker": "container ship",
    "cruise ship, cruise liner, ferry": "liner",
    "warship, battleship": "aircraft carrier",
    "yacht, sailing yacht": "yawl, trimaran, schooner",
    "rowboat, rowing boat, fishing boat, motorboat, tugboat": "canoe, fireboat, lifeboat, speedboat",
    "cow, cattle, bull": "ox",
    "goat": "ibex",
    "penguin": "king penguin",
    "owl": "great grey owl",
    "eagle": "bald eagle",
    "stork": "white stork, black stork",
    "swan": "black swan",
    "camel": "Arabian camel",
    "dinosaur": "triceratops",
    "sneaker, trainer, tennis shoe, sports shoe": "running shoe",
    "boot": "cowboy boot",
    "flip flop, slipper": "sandal",
    "heel, high heel, high heels": "clog, Loafer, sandal",
    "sofa, couch": "studio couch",
    "lamp": "table lamp",
    "apple": "Granny Smith",
    "bread": "French loaf",
    "cabbage": "head cabbage",
    "mountain, mountain range": "alp, volcano",
    "beach": "seashore, sandbar",
    "lake, pond": "lakeside",
}
# Second names of classes that mean something else in most prompts: "light" is there a lighter, "head" a promontory.
NOT_MEANT = {
    *("light", "head", "drop", "spot", "site", "press", "board", "hack", "claw", "spike", "essence", "painter"),
    *("killer", "comfort", "puff", "grand"),
}


@cache
def groups() -> dict[str, tuple[int, ...]]:
    """Every word of both tables -> the numbers of its classes."""
    found = {}
    for words, kinds in (*GROUPS.items(), *NEAREST.items()):
        labels = tuple(label for kind in kinds.split(", ") for label in _span(kind))
        found.update(dict.fromkeys(words.split(", "), labels))
    return found


@cache
def approximate() -> frozenset[str]:
    """The words that ImageNet has no class for."""
    return frozenset(word for words in NEAREST for word in words.split(", "))


def _span(kind: str) -> range:
    """The class of that name, or the classes from one to another: "tabby..Egyptian cat"."""
    numbers = [imagenet_classes.labels().index(name) for name in kind.split("..")]
    return range(numbers[0], numbers[-1] + 1)

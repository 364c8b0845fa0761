"""Which class of a judge a phrase asks for: colours, plurals and places do not matter, and it is never a wrong one."""

import pytest

from zeuxis.scorers.classifier import PocketJudge
from zeuxis.scorers.nouns import Nouns, head_of, imagenet, is_no_kind, kinds_of
from zeuxis.scorers.prompts import parse_prompt

ASKED = {
    "automobile": (
        "a red sports car | a green sports car | a taxi | a yellow taxi | a yellow taxi in the rain | a shiny "
        "black limousine | an old jeep | a convertible | two cars | a photo of a blue sedan | a racing car | cars "
        "parked on a street | a car | a hatchback | a vintage car | a dark red coupe | a cab | an SUV on a beach "
        "| a rusty old car in a field | a white limousine at night"
    ),
    "deer": (
        "a stag | a deer | two deer in a forest | a moose | an elk | a stag with big antlers | a reindeer | a "
        "fawn | a white-tailed deer | a caribou in the snow | a doe standing in a meadow"
    ),
    "horse": (
        "a white horse on grass | a pony | a brown stallion | horses running | a mare and a foal | a foal | a "
        "galloping horse | a sorrel | a brown horse with a white mane | a racehorse"
    ),
    "ship": (
        "a ship on blue water | a sailing boat at sea | a cargo ship | a yacht | an old pirate ship | a cruise "
        "ship at night | a rowboat | boats | a container ship | a schooner | a speedboat | a fishing boat in a "
        "harbour | a gondola | warships"
    ),
    "airplane": (
        "a jet | a plane in the sky | a passenger jet | an airliner | a fighter jet | a small airplane over "
        "mountains | a biplane | an aeroplane | a jumbo jet landing | a warplane | a seaplane on a lake | "
        "airplanes in formation"
    ),
    "truck": (
        "a red fire truck | a fire engine | a lorry | a pickup truck | a garbage truck | a big dump truck | a tow "
        "truck | trucks on a highway | a blue lorry | a garbage truck in the city | a moving van"
    ),
    "dog": (
        "a golden retriever | a puppy | two dogs playing | a black labrador retriever | a dachshund | a dog "
        "wearing a hat | a beagle | a poodle with a bow | a German shepherd | a husky in the snow | a corgi puppy "
        "| a hound"
    ),
    "cat": (
        "a kitten | a black cat on a sofa | a tabby cat | a Siamese cat | a cat sleeping | an orange cat | a "
        "Persian cat | kittens in a basket | a grey cat sitting on a chair | a tomcat"
    ),
    "bird": (
        "a robin | a flying eagle | a parrot | an ostrich | a flamingo | a small bird on a branch | a duck | a "
        "penguin | a hummingbird | an owl at night | a rooster | a seagull over the sea | a pair of flamingos | a "
        "hen | a black swan"
    ),
    "frog": (
        "a frog | a green toad | a tree frog | a frog sitting on a leaf | a bullfrog | a small green frog | toads "
        "| a tree frog on a leaf | a frog on a lily pad"
    ),
    None: (
        "a snowy mountain | a dragon | a bicycle | a bus | a train | a dog house | a bird cage | a hot dog | a "
        "sea horse | a cat and a dog | a rabbit | an elephant | a wolf | a fox | a spaceship | a submarine | a "
        "helicopter | a motorcycle | a tractor | a rocket ship | a car wheel | a horse saddle | a truck stop sign "
        "| a bus stop | a castle | a man | a tree | a house | a red dress | a wristwatch | sneakers | a rocking "
        "horse | a whale | a shark | a zebra | a cow | a giraffe | a tiger | a lion | love | a robot | a unicorn "
        "| a station | a road | a river | a bridge | a guitar | a boathouse | a lake | a laptop | a lipstick | a "
        "bear | a monkey | a mouse | a hamster | a squirrel | a butterfly | a bee | a fish | a turtle | a snake | "
        "a lizard | a dinosaur | a cable car | a train car | a crocodile | a horse race | a cat tower | a dog "
        "collar | a bird nest | a ship wheel | a truck driver | a car park | a frog prince | a horseshoe | a "
        "catfish | a deer hunter | a plane ticket | a birdhouse | a ladybird | a carpet | a toadstool | a "
        "kangaroo | a camel | an otter | a seal | a panda | a goat | a sheep | a lamp | a teapot | a train "
        "station | a tram | a scooter | a bulldozer | a hot air balloon | a rocket | a boat house | a duck and a "
        "horse | a cow in a field | a bat | a crane | a hippo | a beaver | a hedgehog | an ant | a flower | a "
        "mountain | a sunset | a portrait of a woman | a pickup line | a cat and mouse | a jet ski | a dog sled "
        "race | a fire | an engine"
    ),
}


@pytest.fixture(scope="module")
def judge():
    return PocketJudge()


@pytest.mark.parametrize("label", ASKED, ids=str)
def test_the_pocket_judge_finds_the_class_and_no_wrong_one(judge, label):
    found = {text: judge.prepare(parse_prompt([text])).label for text in ASKED[label].split(" | ")}
    wanted = -1 if label is None else judge.classes.index(label)
    wrong = [text for text, k in found.items() if k not in (wanted, -1)]
    assert not wrong
    assert sum(k == wanted for k in found.values()) >= 0.95 * len(found), found


def test_colours_do_not_change_the_verdict(judge):
    for kind in ("a {} sports car", "a {} taxi", "a {} horse", "the {} frog"):
        labels = {judge.prepare(parse_prompt([kind.format(c)])).label for c in ("red", "green", "old yellow", "shiny")}
        assert len(labels) == 1 and -1 not in labels


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("an orange cat", {"cat"}),
        ("a beagle dog", {"beagle"}),
        ("a dog house", set()),
        ("strawberries on a plate", {"strawberry"}),
        ("a photo of a lion next to a bicycle-built-for-two", {"lion"}),
        ("a cat and a dog", {"cat", "dog"}),
        ("a cat sleeping on a sofa", {"cat"}),
        ("a hot dog", {"hot dog"}),
        ("", set()),
    ],
)
def test_nouns_of_imagenet(text, found):
    assert set(imagenet().asked([text]).values()) == found


def test_names_of_any_classes():
    nouns = Nouns([("fire truck",), ("truck", "lorry"), ("wolf",)])
    asked = {text: list(nouns.asked([text])) for text in ("red fire trucks", "a lorry", "wolves", "a truck stop")}
    assert list(asked.values()) == [[(0,)], [(1,)], [(2,)], []]
    assert nouns.named("Trucks") == {1} and nouns.named("a truck") == frozenset()


def test_heads_and_what_is_no_kind():
    assert head_of("a photo of a black cat on a sofa") == "a black cat" and head_of("on a sofa") == "on a sofa"
    assert is_no_kind("a sea horse") and is_no_kind("two spaceships") and not is_no_kind("a horse at sea")
    assert kinds_of("a taxi") and not kinds_of("love") and kinds_of("a taxi") < kinds_of("a car")

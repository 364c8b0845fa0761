"""Phrases that a scorer of English captions can hardly read are noted, and those of every day are not."""

import pytest

from zeuxis.errors import BadInput
from zeuxis.scorers.pocket import PocketScorer
from zeuxis.scorers.prompts import parse_prompt
from zeuxis.scorers.vocabulary import not_english, unfamiliar

NORMAL = (
    "a red fire truck | a snowy mountain landscape | a dragon breathing fire | a black cat on a sofa | a yellow taxi "
    "in the rain | a sailing boat at sea | a pair of blue sneakers | a white horse on grass | a frog on a lily pad | "
    "a golden retriever puppy | a cup of coffee on a wooden table | an astronaut riding a horse | a watercolor "
    "painting of a lighthouse | a photo of a Siamese cat | a cyberpunk city at night | a cartoon robot | a close-up "
    "of a bee on a lavender flower | a rusty pickup truck | a stealth bomber | a brown leather handbag | a men's "
    "wrist watch | aviator sunglasses | a red high heel | flip flops | silver earrings | an old VW camper van | a "
    "steam locomotive | a portrait of an old fisherman | a medieval knight | a bowl of ramen | sushi on a plate | a "
    "chihuahua wearing a hat | a dachshund | an orangutan | a capybara | a meerkat | an axolotl | a toucan | a fennec "
    "fox | a labradoodle | a hatchback | a minivan | a Boeing 747 | a German shepherd | a Christmas tree | a Persian "
    "rug | a cow's head | two dogs playing | a hot air balloon | an oil painting of sunflowers | a stormtrooper | a "
    "hoverboard | a selfie in front of the Eiffel Tower | a moose in a forest | a duffel bag | a bright pink lipstick "
    "| a mud-covered jeep | a low-poly fox | an SUV | a cabin cruiser | a dragon flying over a castle | an astronaut "
    "on the moon | a bouquet of tulips in a vase | a rusty bicycle leaning against a wall | a bowl of spaghetti | a "
    "neon sign at night | an old typewriter | a hummingbird hovering | a grizzly bear catching salmon | a lighthouse "
    "in a storm | a waterfall in the jungle | a vintage motorcycle | a black labrador | an emerald necklace | a pair "
    "of leather boots | a denim jacket | a striped sweater | a plaid scarf | a wristwatch with a brown strap | a tote "
    "bag | oversized sunglasses | a velvet armchair | a hedgehog | a peacock spreading its tail | a group of penguins "
    "| a sloth hanging from a branch | a koala eating eucalyptus | a chameleon | a jellyfish | a seahorse | an "
    "origami crane | a stained glass window | a marble statue | a skyscraper made of glass | a cobblestone street | a "
    "double-decker bus | a firefighter | a ballerina | a chess board | a snow globe | a gingerbread house | a pumpkin "
    "patch in autumn | a campfire under the stars | a rocket launch | a hot-air balloon festival | a cruise liner | a "
    "hovercraft | a zeppelin | a monorail | a go-kart | a unicyclist | a mermaid | a werewolf | a cyborg | a wizard's "
    "tower | a treehouse | a gazebo | a haunted mansion | a futuristic car | a bulldozer | purple stilettos | ballet "
    "flats | a backpack with a zipper | a maroon polo shirt | a turquoise bracelet | mascara | nail polish"
)
OTHER = (
    "ein rotes Feuerwehrauto | eine schwarze Katze auf dem Sofa | ein Hund im Schnee | das Auto meiner Mutter | "
    "Sonnenuntergang am Meer | blaue Turnschuhe | ein Vogel auf einem Ast | rotes Auto | Pferd | Schmetterling | un "
    "camion rouge | un chat noir sur le canapé | une grenouille verte | chien dans la neige | voiture de sport jaune "
    "| coucher de soleil sur la mer | cheval blanc | des chaussures bleues | un gato negro | un perro en la nieve | "
    "coche rojo | una rana verde | caballo blanco en el prado | zapatos azules | puesta de sol en el mar | un gatto "
    "nero sul divano | una macchina rossa | cane nella neve | tramonto sul mare | scarpe blu | um carro vermelho | um "
    "cachorro na neve | sapatos azuis | gato preto | een rode brandweerwagen | een zwarte kat op de bank | hond in de "
    "sneeuw | blauwe schoenen | en röd brandbil | en svart katt på soffan | hund i snön | czerwony samochód | czarny "
    "kot na kanapie | pies w śniegu | punainen paloauto | musta kissa sohvalla | kırmızı araba | siyah kedi | červené "
    "auto | piros autó | krasnaya mashina | chernaya koshka | akai kuruma | kuroi neko | asdf qwer | asdfasdf | "
    "qwertyuiop | hjkl hjkl | lkjsdf | xcvbnm | zzzzzz | fjdksla fjdksla | blorf snarg | wug | a blicket on a dax | a "
    "painting by Rembrandt | Angela Merkel | a portrait of Emmanuel Macron | Vincent van Gogh | starry night by van "
    "Gogh | Pablo Picasso | a landscape by Claude Monet | a portrait of Barack Obama | Taylor Swift | Albert Einstein "
    "| a picture by Gustav Klimt | in the style of Salvador Dali | Elon Musk | Cristiano Ronaldo | Frida Kahlo | a "
    "dress by Versace | Leonardo DiCaprio | eine grüne Wiese | der blaue Himmel | ein kleines Haus am See | ein "
    "Schiff auf dem Wasser | drei Vögel | ein alter Mann | une maison rouge | le ciel bleu | un oiseau sur une "
    "branche | une vieille voiture | la tour Eiffel | fleurs jaunes | una casa roja | un pájaro azul | el cielo azul "
    "| flores amarillas | un barco en el agua | una casa rossa | il cielo blu | un uccello | fiori gialli | o céu "
    "azul | uma casa vermelha | um pássaro | een blauwe vogel | een oud huis | ett rött hus | en blå fågel | et hvidt "
    "hus | den blå himmel | czerwony dom | niebieskie niebo | červený dům | kék ég | mavi gökyüzü | sininen taivas | "
    "rumah merah | burung biru | ngôi nhà đỏ | casa roșie | aoi sora | krasny dom | qwer tyui | dfgdfg | sdkjfh "
    "sdkjfh | aaaaaaa | jjjj | mnbvcx | poiuy | zxcv | glorp | frumious bandersnatch | Johannes Vermeer | a picture "
    "by Edvard Munch | Greta Thunberg | a photo of Lionel Messi | Michelangelo | Beyoncé | Keanu Reeves | in the "
    "style of Hokusai"
)


def listed(text):
    return text.split(" | ")


def test_everyday_phrases_are_not_noted():
    noted = [phrase for phrase in listed(NORMAL) if unfamiliar(phrase)]
    assert len(listed(NORMAL)) > 120 and len(noted) < 0.03 * len(listed(NORMAL)), noted


def test_other_languages_noise_and_names_are_noted():
    missed = [phrase for phrase in listed(OTHER) if not unfamiliar(phrase)]
    assert len(listed(OTHER)) > 130 and len(missed) < 0.05 * len(listed(OTHER)), missed


@pytest.mark.parametrize(
    "text",
    ["ein rotes Feuerwehrauto", "un gato negro", "chien dans la neige", "cane nella neve", "een rode brandweerwagen"],
)
def test_a_language_is_told_from_a_word(text):
    assert (
        not_english(text) == f"{text!r} does not look like English, which the scorer was trained on: say it in English."
    )
    assert unfamiliar(text) == not_english(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a frisbe on grass", "'frisbe':"),
        ("asdf qwer", "'asdf', 'qwer':"),
        ("a painting by Rembrandt", "'Rembrandt':"),
        ("a room by Turner", "'Turner':"),  # a word, but a name after "by"
        (" ".join(f"xq{c}zv" for c in "abcdefgh"), ", ...:"),
    ],
)
def test_words_are_named(text, words):
    assert f"may not know {words}" in unfamiliar(text) or words in unfamiliar(text)


@pytest.mark.parametrize(
    "text", ["", "7", "a", "!?", "\U0001f692", "a café", "men's shoes", "it isn't red", "T-shirts", "красная"]
)
def test_what_there_is_nothing_to_say_about(text):
    assert unfamiliar(text) == ""


def test_the_scorer_says_it_when_it_reads_the_prompt():
    scorer = PocketScorer()
    assert scorer.prepare(parse_prompt(["a cat"])).notes == ()
    assert "does not look like English" in " ".join(scorer.prepare(parse_prompt(["un gato negro"])).notes)
    with pytest.raises(BadInput, match="Write it in English"):
        scorer.prepare(parse_prompt(["красная машина"]))

"""Options of the searches: declared once, told with type, range and help, and checked before anything is made."""

import dataclasses
import inspect

import pytest

import zeuxis.search
from zeuxis.errors import BadInput, UnknownName
from zeuxis.search import (
    MULTI_OBJECTIVE,
    QUALITY_DIVERSITY,
    SEARCHES,
    check_options,
    idle_options,
    search_options,
)  # fmt: skip
from zeuxis.search.genetic import GeneticOptions, VariationOptions
from zeuxis.search.options import Options, check, option, options_of, same_but
from zeuxis.spaces import Normal


@dataclasses.dataclass(frozen=True)
class SledgeOptions(Options):
    runners: int = option(2, "how many it slides on", low=1, high=9)
    wax: float = option(0.5, "thickness", low=0)
    colour: str = option("red", "of the seat", choices=("red", "green"))
    weight: float | str = option("auto", "in kilogrammes", low=1, choices=("auto",), kind=float)
    owner: str = option("", "name on it")


@dataclasses.dataclass(frozen=True)
class RacingOptions(SledgeOptions):
    wax: float = same_but(SledgeOptions, "wax", 2.0)


@pytest.mark.parametrize("name", list(SEARCHES))
def test_every_option_says_what_it_is_and_its_default_fits(name):
    for key, info in search_options(name).items():
        assert info.check(key, info.default) == info.default
        assert info.help and "\n" not in info.help and len(info.help) <= 120
        assert isinstance(info.default, info.type) or info.default in info.choices


@pytest.mark.parametrize("name", list(SEARCHES))
def test_the_signature_of_a_search_shows_its_options(name):
    parameters = inspect.signature(SEARCHES[name]).parameters
    shown = {key: p.default for key, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    assert shown == {key: info.default for key, info in search_options(name).items()}
    assert list(parameters)[:3] == ["space", "population", "device"]


def test_a_preset_changes_defaults_and_its_options_still_win():
    assert search_options("ga-thesis")["crossover"].default == "sbx" != search_options("ga")["crossover"].default
    assert SEARCHES["ga-thesis"](Normal(4)).variation.mutation_eta == 3.0
    assert SEARCHES["ga-thesis"](Normal(4), mutation_eta=7.0).variation.mutation_eta == 7.0


def test_options_that_two_searches_share_are_declared_once():
    shared = {field.name for field in dataclasses.fields(VariationOptions)}
    for name in ("ga", "nsga2", "cma-ga"):
        assert shared <= set(search_options(name))
    assert search_options("nsga2")["tournament"] == search_options("ga")["tournament"]
    assert not {"replacement", "elite"} & set(search_options("nsga2"))


def test_cma_ga_hands_its_options_on_to_both_of_its_searches():
    search = SEARCHES["cma-ga"](Normal(4), population=8, sigma=0.2, offspring=6, mutation_sigma=0.1, tournament=3)
    assert (search.finder.start_sigma, search.finder.offspring) == (0.2, 6)
    assert (search.breeder.variation.mutation_sigma, search.breeder.variation.tournament) == (0.1, 3)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        (
            "ga",
            {"tournment": 3},
            r"Search 'ga' has no option 'tournment'\. Did you mean tournament\? Known .*elite=1\.",
        ),
        ("random", {"elite": 1}, r"Search 'random' has no option 'elite'\. Known options and defaults: none\."),
        ("ga", {"tournament": 1.5}, r"Expected tournament of ga to be a whole number of 1 or more, got 1\.5\."),
        ("de", {"F": 3}, r"Expected F of de to be a number from 0 to 2, got 3\."),
        ("de", {"F": float("nan")}, "a number from 0 to 2, got nan"),
        ("cma-ga", {"scale": "rom"}, r"Expected scale of cma-ga to be one of prior, room, got 'rom'\."),
        ("cma-mae", {"threshold_min": "low"}, "a number or auto, got 'low'"),
        ("ga", {"elite": True}, "a whole number of 0 or more, got True"),
        ("map-elites", {"ranges": 3}, "to be text, got 3"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(name, options, words):
    with pytest.raises(BadInput, match=words):
        check_options(name, options)
    if name not in QUALITY_DIVERSITY:
        with pytest.raises(BadInput, match=words):
            SEARCHES[name](Normal(4), **options)


def test_what_fits_is_given_back_with_whole_numbers_whole():
    assert check_options("ga", {"tournament": 3.0, "mutation_sigma": 1}) == {"tournament": 3, "mutation_sigma": 1}
    with pytest.raises(UnknownName, match="ga-thesis"):
        check_options("ga-thesi", {})


def test_pymoo_says_its_options_too():
    pytest.importorskip("pymoo")
    assert search_options("pymoo:DE")["F"].default == 0.5
    assert check_options("pymoo:DE", {"F": 0.7}) == {"F": 0.7}
    with pytest.raises(BadInput, match="has no option 'Fs'"):
        check_options("pymoo:DE", {"Fs": 0.7})


def test_a_value_is_checked_wherever_options_are_made():
    assert SledgeOptions(runners=3.0).runners == 3 and SledgeOptions(weight=12.5).weight == 12.5
    for wrong in (
        {"runners": 0},
        {"runners": 10},
        {"colour": "blue"},
        {"weight": "heavy"},
        {"weight": 0},
        {"owner": 1},
    ):
        with pytest.raises(BadInput, match=f"Expected {next(iter(wrong))} to be"):
            SledgeOptions(**wrong)
    with pytest.raises(BadInput, match="mutation_prob"):
        GeneticOptions(mutation_prob=2)


def test_a_class_of_options_may_change_a_default_and_part_with_the_rest():
    racing = RacingOptions(runners=4)
    assert racing.wax == 2.0 and SledgeOptions().wax == 0.5
    assert racing.part(SledgeOptions) == SledgeOptions(runners=4, wax=2.0)
    with pytest.raises(BadInput, match="wax to be a number of 0 or more"):
        RacingOptions(wax=-1)


def test_a_function_of_ones_own_may_take_its_options_as_keywords():
    def kite(space, population=16, device=None, *, name="kite", string=10, tail="long"):
        return string

    infos = options_of(kite)
    assert {key: (info.type, info.default) for key, info in infos.items()} == {
        "string": (int, 10),
        "tail": (str, "long"),
    }
    assert check("kite", infos, {"string": -3}) == {"string": -3}
    with pytest.raises(BadInput, match=r"Search 'kite' has no option 'strin'\. Did you mean string\?"):
        check("kite", infos, {"strin": 3})


def test_traits_stand_in_the_table():
    assert {"map-elites", "cma-me", "cma-mae"} <= set(SEARCHES.with_trait("archive")) == set(QUALITY_DIVERSITY)
    assert {"nsga2"} <= set(SEARCHES.with_trait("objectives")) == set(MULTI_OBJECTIVE)
    assert {"adam", "hybrid"} <= set(SEARCHES.with_trait("gradient"))
    assert SEARCHES.with_trait("wings") == ()
    traits = {trait for entry in SEARCHES.rows.values() for trait in entry.traits}
    assert all(f'"{trait}"' in zeuxis.search.__doc__ for trait in traits)  # the module says what each means


@pytest.mark.parametrize("name", list(SEARCHES))
def test_an_option_that_hangs_on_another_names_one_that_is_there(name):
    infos = search_options(name)
    for info in infos.values():
        if info.only is not None:
            other, value = info.only
            assert infos[other].check(other, value) == value


@pytest.mark.parametrize(
    ("name", "options", "idle"),
    [
        ("ga", {"elite": 2}, ("elite", "replacement", "plus", "generational")),
        ("ga", {"elite": 2, "replacement": "generational"}, None),
        ("ga", {"mutation_genes": 4}, ("mutation_genes", "mutation_prob", "0.4", "0")),
        ("ga-thesis", {"crossover_eta": 9.0}, None),
        ("map-elites", {"line_sigma": 0.1}, ("line_sigma", "operator", "gaussian", "iso-line")),
        ("hybrid", {"mutation": "prior"}, ("mutation", "evolution", "sep-cma-es", "ga")),
    ],
)
def test_options_without_effect_are_named(name, options, idle):
    said = idle_options(name, check_options(name, options))
    if idle is None:
        assert not said
    else:
        option, other, value, needed = idle
        assert said == [f"The option {option} has no effect with {other}={value}, only with {other}={needed}."]

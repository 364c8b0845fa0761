"""Searches by name: `SEARCHES[name](space, population=64, device=torch.device("cpu"), **options)`.

Traits: "archive" keeps a map of measures and must be told them; "objectives" needs a score of two parts or more;
"gradient" asks for gradients of the score; "looks" reads how the images look.
"""

from collections.abc import Iterable, Mapping

from zeuxis.registry import Entry, Table
from zeuxis.search.options import Option, OptionInfo, check, idle, options_of

SEARCHES = Table(
    "search",
    {
        "random": Entry("zeuxis.search.random:random", "draws from the prior, keeps the best"),
        "best-of-n": Entry("zeuxis.search.random:best_of_n", "the same, by the name of the null hypothesis"),
        "samples": Entry(
            "zeuxis.search.samples:samples",
            "the best draws of the prior that differ, not pushed further",
            traits=("looks",),
        ),
        "zero-order": Entry(
            "zeuxis.search.zero_order:zero_order", "the best of some neighbours of the best, on a sphere that shrinks"
        ),
        "ga": Entry("zeuxis.search.genetic:ga", "genetic algorithm, strong gaussian mutation"),
        "ga-thesis": Entry("zeuxis.search.genetic:ga_thesis", "genetic algorithm: SBX and polynomial mutation, eta 3"),
        "de": Entry("zeuxis.search.differential:de", "differential evolution"),
        "de-rand": Entry("zeuxis.search.differential:de_rand", "differential evolution rand/1/bin, F 0.8, Cr 0.9"),
        "de-best": Entry("zeuxis.search.differential:de_best", "differential evolution best/1/bin, F 0.8, Cr 0.9"),
        "nsga2": Entry(
            "zeuxis.search.nsga2:nsga2",
            "NSGA-II: each part of the score an objective, the front kept",
            traits=("objectives",),
        ),
        "l-shade": Entry("zeuxis.search.l_shade:l_shade", "differential evolution that adapts F, Cr and its parents"),
        "sep-cma-es": Entry("zeuxis.search.sep_cma_es:sep_cma_es", "CMA-ES with a diagonal covariance"),
        "cma-es": Entry("zeuxis.search.cma_es:cma_es", "CMA-ES with the full covariance"),
        "lm-ma-es": Entry("zeuxis.search.lm_ma_es:lm_ma_es", "CMA-ES with a few remembered directions"),
        "open-es": Entry("zeuxis.search.open_es:open_es", "evolution strategy with mirrored samples and Adam"),
        "cma-ga": Entry("zeuxis.search.cma_ga:cma_ga", "sep-CMA-ES to find, then a GA to spread (usual default)"),
        "adam": Entry(
            "zeuxis.search.adam:adam",
            "gradient ascent from the best of some draws; 3 images a step",
            traits=("gradient",),
        ),
        "hybrid": Entry(
            "zeuxis.search.hybrid:hybrid",
            "sep-CMA-ES or GA, and gradient steps on the elite in turns",
            traits=("gradient",),
        ),
        "map-elites": Entry(
            "zeuxis.search.map_elites:map_elites",
            "quality-diversity: mutated elites of an archive",
            traits=("archive",),
        ),
        "cma-me": Entry(
            "zeuxis.search.cma_me:cma_me",
            "quality-diversity: CMA-ES ranked by archive improvement",
            traits=("archive",),
        ),
        "cma-mae": Entry(
            "zeuxis.search.cma_mae:cma_mae",
            "quality-diversity: CMA-ES on an archive that anneals",
            traits=("archive",),
        ),
    },
    prefixes={"pymoo": Entry("zeuxis.search.pymoo:pymoo", "any single-objective algorithm of pymoo: GA, DE, PSO, ...")},
    group="zeuxis.searches",
)

MULTI_OBJECTIVE = SEARCHES.with_trait("objectives")
QUALITY_DIVERSITY = SEARCHES.with_trait("archive")


def search_options(name: str) -> dict[str, OptionInfo]:
    """The options of a search: name -> type, default, one line of help, range. UnknownName; imports the search."""
    return options_of(SEARCHES[name])


def check_options(name: str, options: Mapping[str, Option], more: Iterable[str] = ()) -> dict[str, Option]:
    """`options` of a search, each checked; BadInput says in a sentence what is known and what was expected.

    `more` are names that an unknown one may stand for: settings of a run.
    """
    return check(name, search_options(name), options, more)


def idle_options(name: str, options: Mapping[str, Option]) -> list[str]:
    """A sentence for each of a search's `options` that another makes meaningless, as elite where replacement=plus."""
    return idle(search_options(name), options)

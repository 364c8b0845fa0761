"""A plot over options as far as it is: grid, table, files; and the list of all plots."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from nicegui import ui

from zeuxis.errors import ZeuxisError
from zeuxis.experiments.results import Result
from zeuxis.report.commands import folder_command
from zeuxis.studio.pages.common import Tag, away, button, cell, code_line, enable, named_dialog, say, show, tried
from zeuxis.studio.pages.form import write_axes, write_form
from zeuxis.studio.plot import Cell, Plot
from zeuxis.studio.plot_sheet import page_html, sheet
from zeuxis.studio.plot_table import caption, has_seeds, headings, legend, lines, table_csv, told
from zeuxis.studio.plots import progress
from zeuxis.studio.state import Studio

PERIOD = 1.0  # seconds
LISTED = 30  # plots


class View:
    """The plots that are there, and one of them."""

    def __init__(self, studio: Studio, shown: str) -> None:
        self.studio, self.plots, self._seen = studio, studio.plots, ""
        self.names = self.plots.names()
        self.name = shown if shown in self.names else ""
        self.grid: dict[tuple[int, int, int], tuple[Any, Tag, Tag]] = {}
        if self.name and (found := tried(self.plots.known, self.name)) is not None:
            self._plot(*found)
            self._tick()
            ui.timer(PERIOD, self._tick)

    def list_all(self) -> None:
        """The plots that are there, newest first."""
        if self.names:
            with Tag("section", "", "zx-stack", aria_label="All plots", style="margin-top:28px"):
                Tag("h2", "All plots", "zx-h")
                with Tag("ul", "", "zx-links"):
                    for name in self.names[:LISTED]:
                        self._link(name)

    def _link(self, name: str) -> None:
        try:
            plot, results = self.plots.known(name)
            title = plot.title
            done = f"{plot.ended(results)} of {plot.count} runs"
            said = legend(plot) if name == self.name else f"{legend(plot)} · {done}"
        except ZeuxisError as error:
            title, said = name, str(error)
        current = {"aria-current": "true"} if name == self.name else {}
        with Tag("li"), Tag("a", "", href=f"/plots?show={name}", **current):
            Tag("strong", title[:200])
            Tag("span", said, "zx-soft")

    def _plot(self, plot: Plot, results: Mapping[str, Result]) -> None:
        with Tag("section", "", "zx-card zx-stack", aria_label="The plot", style="margin-top:18px"):
            Tag("h2", plot.title[:300], "zx-h")
            Tag("p", f"{legend(plot)}. Under each picture its score and what the judge says of it.", "zx-soft")
            self.state = Tag("p", "", "zx-soft", role="status", aria_live="polite", id="plot-state")
            self.bar = Tag("progress", max="1", aria_label="Progress")
            with Tag("div", "", "zx-bar"):
                self.stop = button("Stop", self._stop, "", ".")
                self.again = button("Go on", self._again, "main")
                button("Into the form", partial(self._edit, plot))
                button("Save as picture", partial(self._save, "png"))
                button("Save as page", partial(self._save, "html"))
                button("Save the table", partial(self._save, "csv"))
                button("Save the experiment", partial(self._save, "toml"))
            self._grid(plot)
            self.table = Tag("div", "", "zx-scroll", tabindex="0", role="region", aria_label="Score and judge")
            code_line(plot.command())

    def _grid(self, plot: Plot) -> None:
        x, y, z = plot.axes
        for block in range(len(z.values) if z else 1):
            if z:
                Tag("h3", f"{z.title}: {z.shown[block]}", "zx-h")
            about = f"Pictures{f' for {z.shown[block]}' if z else ''}"
            with (
                Tag("div", "", "zx-scroll", tabindex="0", role="region", aria_label=about),
                Tag("table", "", "zx-plot"),
            ):
                with Tag("thead"), Tag("tr"):
                    if y:
                        Tag("td")
                    for value in x.shown if x else ():
                        Tag("th", value, scope="col")
                with Tag("tbody"):
                    for row in range(len(y.values) if y else 1):
                        self._line(plot, block, row)

    def _line(self, plot: Plot, block: int, row: int) -> None:
        y = plot.axes[1]
        with Tag("tr"):
            if y:
                Tag("th", y.shown[row], scope="row")
            for place, one in enumerate(plot.cells):
                if (one.z, one.y) == (block, row):
                    with Tag("td"):
                        made = cell(aria_label=", ".join(told(plot, one)) or plot.title)
                        made.on("pick", partial(self._open, place)).on("open", partial(self._open, place))
                        with made:
                            image = Tag("img", "", alt="", loading="lazy", draggable="false")
                        self.grid[(one.z, one.y, one.x)] = (made, image, Tag("p", "", "under"))

    def _tick(self) -> None:
        found = tried(self.plots.known, self.name)
        if found is None:
            return
        plot, results = found
        waits = next((i for i in self.studio.queue.ahead() if i.kind == "plot" and i.folder == self.name), None)
        running = self.plots.running == self.name
        share = progress(plot, results)
        done = plot.ended(results)
        over = "done" if done == plot.count else "stopped"
        said = (
            ("finishing" if done == plot.count else "under way") if running else "waits in the queue" if waits else over
        )
        text = f"{done} of {plot.count} runs, {said}"
        stamp = f"{text} {share:.3f}"
        if stamp == self._seen:
            return
        self._seen = stamp
        self.state.set_text(text)
        self.bar.props["value"] = f"{share:.3f}"
        show(self.bar, done < plot.count)
        show(self.stop, running or waits is not None)
        failed = any(job.key in results and results[job.key].status == "failed" for job in plot.jobs)
        show(self.again, not (running or waits) and (failed or done < plot.count))
        for place, one in enumerate(plot.cells):
            self._fill(place, one, plot, results)
        self._table(plot, results)

    def _fill(self, place: int, one: Cell, plot: Plot, results: Mapping[str, Result]) -> None:
        made, image, under = self.grid[(one.z, one.y, one.x)]
        ended = sum(job.key in results for job in one.jobs)
        text = caption(one, results)
        if under.text != text or image.props.get("data-ended") != ended:
            under.set_text(text)
            image.props["data-ended"] = ended
            if ended:
                image.props["src"] = f"/plotted/{self.plots.key(self.name)}/{place}.jpg?{ended}"
            about = ", ".join(told(plot, one)) or plot.title
            made.props["aria-label"] = f"{about}: {f'score {text}' if ended else 'not done yet'}"
        show(image, ended > 0)
        enable(made, ended > 0)

    def _table(self, plot: Plot, results: Mapping[str, Result]) -> None:
        self.table.clear()
        with self.table, Tag("table", "", "zx-table"):
            with Tag("thead"), Tag("tr"):
                for name in [*headings(plot), "runs", "best score", "judge on that picture"]:
                    Tag("th", name, scope="col")
            with Tag("tbody"):
                for line in lines(plot, results):
                    runs = f"{line.done} of {line.wanted}" + (f", {line.failed} failed" if line.failed else "")
                    score = line.score.words() if line.score else "–"
                    judge = line.judge.words(share=True) if line.judge else "–"
                    with Tag("tr"):
                        for text in [*line.values, runs, score, judge]:
                            Tag("td", text)
        if has_seeds(plot):
            with self.table:
                Tag("p", "Means over seeds with 95 % intervals by Student's t.", "zx-soft")

    def _open(self, place: int) -> None:
        found = tried(self.plots.known, self.name)
        if found is None:
            return
        plot, results = found
        one = plot.cells[place]
        best = one.best(results)
        if best is None:
            reasons = [results[job.key].reason for job in one.jobs if job.key in results]
            say(reasons[0] if reasons else "No run of this cell is done yet.", "warning")
            return
        folder = tried(plot.work, best[0])
        if folder is None:
            return
        about = ", ".join(told(plot, one)) or plot.title
        with named_dialog(about) as dialog, Tag("div", "", "zx-dialog zx-open"):
            with Tag("div"):
                Tag("img", "", "zx-big", src=f"/plotted/{self.plots.key(self.name)}/{place}.jpg?large", alt=about)
            with Tag("div", "", "zx-stack"):
                Tag("h2", about, "zx-h")
                Tag("p", f"Score {caption(one, results)}; seed {folder.config.seed}")
                Tag("p", f"Its folder: {folder.path}", "zx-soft")
                code_line(folder_command("replay", folder.best_image))
                button("Close", dialog.close)
        dialog.on("hide", dialog.delete)
        dialog.open()

    def _edit(self, plot: Plot) -> None:
        """What was asked for, in the form, to be changed."""
        form = tried(write_form, plot.spec.base)
        if form is not None:
            form |= write_axes(plot.spec)
            ui.run_javascript(f"zxRows.fill({json.dumps(form)}); document.getElementById('ask').scrollIntoView()")

    def _stop(self) -> None:
        for item in self.studio.queue.ahead():
            if item.kind == "plot" and item.folder == self.name:
                tried(self.studio.runner.stop, item.id)
                self._seen = ""

    def _again(self) -> None:
        found = tried(self.plots.known, self.name)
        if found is not None:
            tried(self.studio.queue.add_plot, self.name, found[0].title)
            self._seen = ""

    async def _save(self, kind: str) -> None:
        found = tried(self.plots.known, self.name)
        if found is None:
            return
        plot, results = found
        make = {
            "png": lambda: sheet(plot, results), "html": lambda: page_html(plot, results),
            "csv": lambda: table_csv(plot, results), "toml": lambda: plot.toml().encode(),
        }[kind]  # fmt: skip
        data = await away(make)
        if data is not None:
            ui.download.content(data, f"{self.name}.{kind}")

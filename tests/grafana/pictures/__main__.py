"""Draws the dashboards as they look when trouble has begun: `python -m tests.grafana.pictures`, or `make pictures`."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from daemon import logs
from grafana.generate.__main__ import HERE as GRAFANA
from tests.grafana.packages import installed
from tests.grafana.pictures.gathered import gathered
from tests.grafana.tools import started, tool

HERE: Final = Path(__file__).parent
PICTURES: Final = GRAFANA / "pictures"
WIDTH: Final = 1600
CELL: Final = 38  # a row of Grafana's grid with the gap below it, in pixels
COLORS: Final = 128  # enough for lines and letters, and a third of the bytes
MARGIN: Final = 8
DRAWN_S: Final = 120.0
DRAWING_MS: Final = 10_000  # of the page's own time, which goes faster than ours
WEIGHTS: Final = {"Regular": 400, "Medium": 500}
BUNDLED: Final = (
    "--bundle", "--minify", "--format=iife", "--jsx=automatic", "--log-level=error",
    '--define:process.env.NODE_ENV="production"', "--define:global=window",
    "--loader:.svg=dataurl", "--loader:.ttf=empty",
)  # fmt: skip


def draw() -> None:
    PICTURES.mkdir(exist_ok=True)
    with TemporaryDirectory() as kept, (Path(kept) / "log").open("w") as log:
        logs.configure(stream=log)  # five minutes of a daemon in trouble are long, and nobody's concern
        page = _page(Path(kept) / "page")
        boards = [
            json.loads(path.read_text("utf-8")) for path in sorted((GRAFANA / "dashboards").glob("*.json"))
        ]
        with _served(page) as url:
            for each in gathered(Path(kept) / "scene", boards):
                (page / "board.json").write_text(json.dumps(each), "utf-8")
                _shoot(f"{url}/page.html", each["board"])


def _page(folder: Path) -> Path:
    """What the browser opens, with icons and fonts where Grafana's server has them."""
    packages = installed(HERE) / "node_modules"
    public = folder / "public"
    (public / "fonts" / "inter").mkdir(parents=True)
    (public / "build").symlink_to(packages / "@grafana" / "ui" / "dist" / "public")
    for name, weight in WEIGHTS.items():
        font = packages / "@fontsource" / "inter" / "files" / f"inter-latin-{weight}-normal.woff2"
        (public / "fonts" / "inter" / f"Inter-{name}.woff2").symlink_to(font)
    (folder / "page.html").write_text((HERE / "page.html").read_text("utf-8"), "utf-8")
    bundler = str(packages / "esbuild" / "bin" / "esbuild")
    words = [tool("node"), bundler, str(HERE / "draw.jsx"), f"--outfile={folder / 'bundle.js'}", *BUNDLED]
    subprocess.run(words, env=os.environ | {"NODE_PATH": str(packages)}, check=True)
    return folder


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _shoot(url: str, board: dict[str, Any]) -> None:
    """Raises what the page complained of."""
    picture = PICTURES / f"{board['uid']}.png"
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    words = [
        *started("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--enable-logging=stderr", f"--virtual-time-budget={DRAWING_MS}",
        f"--window-size={WIDTH},{rows * CELL + MARGIN}", f"--screenshot={picture}", url,
    ]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=DRAWN_S)
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    if "The board is drawn." not in done.stderr or "could not be drawn" in done.stderr:
        raise AssertionError(f"{board['title']}: " + "\n".join(said))
    fewer = [*started("pngquant"), "--force", "--strip", "--output", str(picture), str(COLORS), str(picture)]
    subprocess.run(fewer, check=True)


if __name__ == "__main__":
    draw()

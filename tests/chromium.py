"""A headless Chromium that tests look at pages with, driven through a pair of pipes: no driver and no package.

    with Browser(tmp_path) as browser:
        page = browser.open(tmp_path / "results.html", width=390, height=844, dark=True)
        page.run("document.title")

It speaks the DevTools protocol (``--remote-debugging-pipe``): JSON ended by a zero byte, commands on the program's file
descriptor 3, answers and events on 4.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROGRAM = next((found for found in map(shutil.which, _NAMES) if found), None)
needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium: apt-get install chromium")
# Without a sandbox since tests may run as root; on the CPU; asleep in no window, and no call home.
_FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio",
    "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows", "--enable-precise-memory-info", "--js-flags=--expose-gc",
)  # fmt: skip
_PATIENCE_S = 60.0
_KEYS = {" ": 32, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


class Browser:
    """One Chromium with an empty profile in `folder`; it ends with the ``with`` block."""

    def __init__(self, folder):
        self._folder = Path(folder) / "chromium"
        self._number, self._rest, self._events = 0, b"", []

    def __enter__(self):
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        flags = [*_FLAGS, f"--user-data-dir={self._folder}", "about:blank"]
        # The shell puts the pipes where Chromium looks for them.
        start = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        log = subprocess.DEVNULL
        self._process = subprocess.Popen(
            ["bash", "-c", start, "bash", PROGRAM, *flags], pass_fds=(theirs_in, theirs_out), stdout=log, stderr=log
        )
        os.close(theirs_in)
        os.close(theirs_out)
        return self

    def __exit__(self, *_):
        self.call("Browser.close")
        os.close(self._out)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)

    def open(self, address, width=1280, height=900, dark=False, phone=False):
        """A file or an address in a tab of its own, loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network", "Performance"):
            page.call(f"{domain}.enable")
        page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", features=[scheme])
        page.call("Emulation.setFocusEmulationEnabled", enabled=True)  # seen and in use, whatever else is open
        page.call("Page.bringToFront")
        url = address.resolve().as_uri() if isinstance(address, Path) else address
        page.call("Page.navigate", url=url)
        page.wait("document.readyState === 'complete' && location.href !== 'about:blank'")
        return page

    def call(self, method, session=None, **parameters):
        """What the browser answers; events that come before are kept for their pages."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + _PATIENCE_S
        while True:
            answer = self._next(until)
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._events.append(answer)

    def events(self, session):
        """All events of a page so far."""
        return [event for event in self._events if event.get("sessionId") == session]

    def _next(self, until):
        while b"\0" not in self._rest:
            left = max(until - time.monotonic(), 0)
            assert select.select([self._in], [], [], left)[0], f"Chromium has not answered for {_PATIENCE_S:.0f} s"
            read = os.read(self._in, 1 << 20)
            assert read, "Chromium has ended"
            self._rest += read
        line, _, self._rest = self._rest.partition(b"\0")
        return json.loads(line)


class Page:
    """A tab."""

    def __init__(self, browser, session):
        self._browser, self._session = browser, session

    def call(self, method, **parameters):
        return self._browser.call(method, self._session, **parameters)

    def run(self, script):
        """The value of a JavaScript expression; a promise is awaited."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script, seconds=_PATIENCE_S):
        """Until the expression is true."""
        until = time.monotonic() + seconds
        while not self.run(f"!!({script})"):
            assert time.monotonic() < until, f"never true within {seconds:.0f} s: {script}"
            time.sleep(0.02)

    def problems(self):
        """What the console shows as errors and warnings."""
        self.run("0")  # whatever is on its way comes before this answer
        found = []
        for event in self._browser.events(self._session):
            told = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(told["exceptionDetails"].get("exception", {}).get("description", "exception"))
            elif event["method"] == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
                found.append(" ".join(str(one.get("value", one.get("description"))) for one in told["args"]))
            elif event["method"] == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
                found.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
        return found

    def requested(self):
        """Addresses that the page asked for."""
        self.run("0")
        sent = [one for one in self._browser.events(self._session) if one["method"] == "Network.requestWillBeSent"]
        return [one["params"]["request"]["url"] for one in sent]

    def key(self, key):
        """Press and release."""
        told = {"key": key, "code": key.replace(" ", "Space"), "windowsVirtualKeyCode": _KEYS[key]}
        text = {"text": " "} if key == " " else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **told, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    def drag(self, start, end):
        """The left button from one place (x, y) of the window to another."""
        told = {"button": "left", "buttons": 1, "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=start[0], y=start[1], **told)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=end[0], y=end[1], **told)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=end[0], y=end[1], **told)

    def click(self, selector):
        """The middle of an element, by the mouse."""
        place = self.middle(selector)
        self.drag(place, place)

    def middle(self, selector):
        """(x, y) in the window, after scrolling there."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.run(f"{found}.scrollIntoView({{block: 'center'}})")
        box = self.boxes(selector)[0]
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def boxes(self, selector):
        """Where in the window all elements of a kind are: dicts of x, y, width, height, right, bottom."""
        found = f"[...document.querySelectorAll({json.dumps(selector)})]"
        return self.run(f"{found}.map((one) => one.getBoundingClientRect().toJSON())")

    def picture(self, path, whole=False):
        """A .png of what is seen, or of the whole page."""
        told = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(told["data"]))

    def metric(self, name):
        """One of DevTools' metrics of performance, such as ``JSHeapUsedSize``."""
        return next(one["value"] for one in self.call("Performance.getMetrics")["metrics"] if one["name"] == name)

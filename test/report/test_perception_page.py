"""The report of an extraction in a real browser: what it draws is what perception found, in 2D and in 3D."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from chromium import Chromium, find_chromium
from perceived_factory import REASON, perceived
from PIL import Image

from hoigen.look.colours import DepthScale
from hoigen.perception.perceive import Perceived
from hoigen.perception.records import Boxes, Segmentation
from hoigen.perception.report import write_index, write_part
from hoigen.perception.report.codec import Quantised, pack
from hoigen.perception.report.look import instances

pytestmark = pytest.mark.skipif(find_chromium() is None, reason='no chromium here (Debian: apt-get install chromium)')

SIZE = (1024, 800)
LAST = 4
CHROME_PX = 34
"""Captions and buttons lie over this much of a panel's upper and lower edge."""


@pytest.fixture(scope='module')
def seen() -> Perceived:
    return perceived()


@pytest.fixture(scope='module')
def page(seen: Perceived, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_part(tmp_path_factory.mktemp('report'), 'clip_0000', seen)


@pytest.fixture
def opened(browser: Chromium, page: Path) -> Iterator[Chromium]:
    """The page, loaded and stopped at its first frame; nothing may have gone wrong at the end."""
    browser.problems.clear()
    show(browser, page)
    yield browser
    assert browser.problems == []


def show(browser: Chromium, page: Path, *, width: int = SIZE[0], height: int = SIZE[1], phone: bool = False) -> None:
    browser.open(page, width=width, height=height, dark=True, phone=phone)
    browser.wait_for('document.querySelector("article")?.dataset.ready')
    choose(browser, 0)


def choose(browser: Chromium, frame: int) -> None:
    """Move the slider to a frame's time and wait until the 3D view, where there is one, has drawn it."""
    browser.evaluate(f"""(() => {{ const scrub = document.querySelector('.scrub');
        scrub.value = {frame / LAST} * scrub.max; scrub.dispatchEvent(new Event('input')); }})()""")
    assert browser.evaluate('document.querySelector("article").dataset.frame') == str(frame)
    settle(browser)


def settle(browser: Chromium) -> None:
    """Return after everything that was asked for has been painted."""
    browser.evaluate("""new Promise(done => requestAnimationFrame(() => requestAnimationFrame(
        () => setTimeout(done, 50))))""")


def panel(browser: Chromium, name: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """[H,W,3] uint8 that a panel shows, without what lies over its edges; resized to ``size`` if that is given."""
    box = browser.evaluate(f'document.querySelector(".panel.{name} canvas").getBoundingClientRect().toJSON()')
    left, top, right, bottom = (round(box[side]) for side in ('left', 'top', 'right', 'bottom'))
    picture = browser.screenshot()[top:bottom, left:right]
    return picture if size is None else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def press(browser: Chromium, part: str) -> None:
    browser.evaluate(f'document.querySelector(".toggles [data-part={part}]").click()')
    settle(browser)


def clear_of_boxes(boxes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """[H,W] bool: neither a border of boxes [I,4] nor its name nor the panel's caption lies here."""
    clear = np.ones(shape, np.uint8)
    clear[: CHROME_PX // 3] = 0
    for left, top, right, bottom in np.rint(boxes).astype(int).tolist():
        cv2.rectangle(clear, (left, top), (right, bottom), 0, 4)
        for above in (top - 7, bottom):
            cv2.rectangle(clear, (left - 2, above), (left + 40, above + 7), 0, cv2.FILLED)
    return clear > 0


@pytest.mark.parametrize(
    'values',
    [
        np.random.default_rng(1).integers(0, 65536, (3, 4, 7)).astype(np.uint16),
        np.random.default_rng(2).integers(0, 256, (5, 9)).astype(np.uint8),
        np.zeros((2, 0), np.uint8),
        Quantised(np.array([[0, 1, 65535], [2, 0, 1]], np.uint16), -2.5, 0.125),
    ],
)
def test_arrays_arrive_as_they_were(opened: Chromium, values: np.ndarray | Quantised) -> None:
    """What Python packs, the page unpacks: every bit, and NaN where it was."""
    packed = json.dumps(pack(values))
    if isinstance(values, Quantised):
        got = opened.evaluate(f'unpack({packed}).then(found => [...numbers(found)].map(v => isNaN(v) ? null : v))')
        expected = [None if np.isnan(value) else value for value in values.values().ravel()]
    else:
        got, expected = opened.evaluate(f'unpack({packed}).then(found => [...found.values])'), values.ravel().tolist()
    assert got == expected


def test_masks_and_boxes_lie_on_the_picture(opened: Chromium, seen: Perceived) -> None:
    """Hand and object are tinted in their own colours and nothing else is; a box's border is where the box is."""
    for frame in (0, LAST):
        choose(opened, frame)
        shown = panel(opened, 'masks', (180, 120)).astype(float)
        expected, mask = seen.footage.rgb[frame].astype(float), seen.segmentation.instance[frame]
        for one in instances(seen.segmentation.role):
            expected[mask == one.number] *= 0.64
            expected[mask == one.number] += 0.36 * np.array(one.rgb)
        clear = clear_of_boxes(seen.boxes.boxes[frame], mask.shape)
        for number in (0, 1, 2):
            inner = (cv2.erode((mask == number).astype(np.uint8), np.ones((5, 5))) > 0) & clear
            if inner.sum() > 20:
                assert np.abs(shown - expected)[inner].mean() < 10, number
        left, top, _, bottom = np.rint(seen.boxes.boxes[frame, 0]).astype(int)
        border = shown[top + 3 : bottom - 3, left - 2 : left + 3].mean(0)
        assert (border[:, 0] - border[:, 2]).max() > 30, 'the border of a hand is warm'


def test_depth_has_the_colours_of_its_scale(opened: Chromium, seen: Perceived) -> None:
    """The depth panel shows each pixel's depth in the sheet's colours, and the pointer reads it in metres."""
    assert seen.geometry is not None
    depth = seen.geometry.depth_m[LAST]
    near, far = np.nanpercentile(seen.geometry.depth_m, (1, 99))
    choose(opened, LAST)
    shown = panel(opened, 'depth', (180, 120)).astype(int)
    whole = np.nan_to_num(depth, nan=100)
    flat = cv2.dilate(whole, np.ones((3, 3))) - cv2.erode(whole, np.ones((3, 3))) < 0.02
    flat[:12], flat[:, 150:] = False, False  # caption and colour scale
    assert flat.sum() > 5000
    assert np.abs(shown - DepthScale(near, far).colours(depth))[flat].mean() < 8
    read = opened.evaluate("""(() => { const box = document.querySelector('.depth canvas').getBoundingClientRect();
        document.querySelector('.depth').dispatchEvent(new PointerEvent('pointermove',
          { clientX: box.left + box.width * 60.5 / 180, clientY: box.top + box.height * 90.5 / 120 }));
        return document.querySelector('.probe').textContent; })()""")
    assert float(read.removesuffix(' m')) == pytest.approx(depth[90, 60], abs=0.002)


def test_seen_as_filmed_the_cloud_is_the_video(opened: Chromium, seen: Perceived, tmp_path: Path) -> None:
    """Places, cameras and colours are right together: from the camera's own place each frame's cloud is its picture."""
    press(opened, 'tracks')
    press(opened, 'ride')
    for frame in (0, 2, LAST):
        choose(opened, frame)
        shown = panel(opened, 'cloud', (180, 120)).astype(int)
        Image.fromarray(shown.astype(np.uint8)).save(tmp_path / f'cloud_{frame}.png')
        scene = cv2.erode((seen.segmentation.instance[frame] == 0).astype(np.uint8), np.ones((7, 7))) > 0
        scene[:30], scene[-20:], scene[:, :4], scene[:, -4:] = False, False, False, False  # captions, buttons, the sky
        expected = cv2.GaussianBlur(0.85 * seen.footage.rgb[frame], (0, 0), 1)
        error = np.abs(cv2.GaussianBlur(shown.astype(float), (0, 0), 1) - expected)[scene].mean()
        other = np.abs(expected - cv2.GaussianBlur(0.85 * seen.footage.rgb[(frame + 2) % 5], (0, 0), 1))[scene].mean()
        assert error < 6, frame
        assert error < other / 2, 'no other frame would fit as well'


def test_the_cloud_turns_and_its_parts_can_be_hidden(opened: Chromium) -> None:
    """Drag, wheel and keys change the view and R brings it back; with everything hidden nothing is drawn."""
    at_first = panel(opened, 'cloud')
    assert len(np.unique(at_first.reshape(-1, 3), axis=0)) > 500
    box = opened.evaluate('document.querySelector(".cloud canvas").getBoundingClientRect().toJSON()')
    middle = {'x': box['left'] + box['width'] / 2, 'y': box['top'] + box['height'] / 2}
    opened.call('Input.dispatchMouseEvent', type='mousePressed', button='left', buttons=1, clickCount=1, **middle)
    opened.call('Input.dispatchMouseEvent', type='mouseMoved', buttons=1, x=middle['x'] + 90, y=middle['y'] + 30)
    opened.call('Input.dispatchMouseEvent', type='mouseReleased', button='left', x=middle['x'] + 90, y=middle['y'] + 30)
    settle(opened)
    turned = panel(opened, 'cloud')
    assert np.abs(turned.astype(int) - at_first).mean() > 4
    opened.call('Input.dispatchMouseEvent', type='mouseWheel', deltaX=0, deltaY=300, **middle)
    settle(opened)
    assert np.abs(panel(opened, 'cloud').astype(int) - turned).mean() > 4
    opened.evaluate('document.querySelector(".cloud canvas").focus()')
    opened.call('Input.dispatchKeyEvent', type='keyDown', key='r')
    settle(opened)
    inner = slice(CHROME_PX, -CHROME_PX), slice(5, -5)  # without the ring that shows the focus
    np.testing.assert_array_equal(panel(opened, 'cloud')[inner], at_first[inner])
    counts = []
    for part in ('scene', 'hand', 'object', 'tracks', 'camera'):
        press(opened, part)
        counts.append(len(np.unique(panel(opened, 'cloud')[inner].reshape(-1, 3), axis=0)))
    assert counts[0] < len(np.unique(at_first.reshape(-1, 3), axis=0))
    assert counts[-1] == 1, 'something is drawn though everything is hidden'


def test_points_that_are_not_sure_can_be_hidden(browser: Chromium, seen: Perceived, tmp_path: Path) -> None:
    """The left half of the picture has little confidence; seen as filmed, it is empty once unsure points are hidden."""
    assert seen.geometry is not None
    confidence = seen.geometry.confidence.copy()
    confidence[:, :, :90] = 0.2
    estimated = replace(seen.geometry, confidence=confidence, method='vggt', metric=False)
    show(browser, write_part(tmp_path, 'clip_0000', replace(seen, geometry=estimated)))
    assert browser.evaluate('document.querySelector(".scale em").textContent') == 'units', 'lengths of unknown scale'
    assert 'of unknown scale' in browser.evaluate('document.querySelector(".cards").textContent')
    for part in ('tracks', 'ride'):
        press(browser, part)
    assert panel(browser, 'cloud', (180, 120))[40:90, 5:85].mean() > 60
    press(browser, 'unsure')
    shown = panel(browser, 'cloud', (180, 120))
    assert shown[40:90, 5:85].mean() < 20 < 60 < shown[40:90, 95:175].mean()


def test_it_plays_and_every_panel_follows(opened: Chromium) -> None:
    """Space plays; another frame is another picture in each panel, and the numbers beside the strips are its own."""
    names = ('masks', 'cloud', 'tracks', 'depth')
    before = {name: panel(opened, name) for name in names}
    choose(opened, 3)
    for name in names:
        assert np.abs(panel(opened, name).astype(int) - before[name]).mean() > 0.3, name
    assert 'frame 3' in opened.evaluate('document.querySelector(".clock").innerText')
    opened.evaluate('document.querySelector("article").focus()')
    opened.call('Input.dispatchKeyEvent', type='keyDown', key=' ')
    opened.wait_for('document.querySelector("article").dataset.frame !== "3"')
    opened.call('Input.dispatchKeyEvent', type='keyDown', key=' ')
    for key in ('ArrowRight', 'ArrowLeft'):
        opened.call('Input.dispatchKeyEvent', type='keyDown', key=key)
    held = opened.evaluate("""new Promise(done => { const a = document.querySelector('article'), n = a.dataset.frame;
        setTimeout(() => done(n === a.dataset.frame), 400); })""")
    assert held


def test_a_click_into_the_strips_chooses_a_frame(opened: Chromium) -> None:
    """Strips and slider share one scale: a click leads to the frame whose time it is, and there the cursor stands."""
    opened.evaluate('document.querySelector(".strips").scrollIntoView()')
    box = opened.evaluate('document.querySelector(".strips canvas").getBoundingClientRect().toJSON()')
    opened.call(
        'Input.dispatchMouseEvent',
        type='mousePressed',
        button='left',
        clickCount=1,
        x=box['left'] + 0.74 * box['width'],
        y=box['top'] + 10,
    )
    assert opened.evaluate('document.querySelector("article").dataset.frame') == '3'
    settle(opened)
    left, top = round(box['left']), round(box['top'])
    strips = opened.screenshot()[top : top + 60, left : left + round(box['width'])].astype(int)
    cursor = strips.min(2).min(0).argmax()  # the only column that is bright all the way
    knob = 8
    assert cursor == pytest.approx(knob + 0.75 * (box['width'] - 2 * knob), abs=2)


def test_what_came_from_outside_is_text(browser: Chromium, seen: Perceived, tmp_path: Path) -> None:
    """A file name or a note that looks like a page is shown as it is, and never run."""
    nasty = '</script><img src=x onerror="document.title = 1"><!-- content --> ${1} & "quoted"'
    page = write_part(
        tmp_path, 'clip_0000', replace(seen, notes=(nasty,), provenance=replace(seen.provenance, source=nasty))
    )
    browser.problems.clear()
    show(browser, page)
    assert browser.evaluate('document.querySelector(".notes li").textContent') == nasty
    assert nasty in browser.evaluate('document.querySelector("details").textContent')
    assert browser.problems == []


def test_without_a_point_map_the_page_says_why(browser: Chromium, tmp_path: Path) -> None:
    """Boxes, masks and tracks are shown, and the command that would give the rest."""
    page = write_part(tmp_path, 'clip_0000', perceived(geometry=False))
    browser.problems.clear()
    show(browser, page)
    assert REASON in browser.evaluate('document.querySelector(".refused").textContent')
    assert browser.evaluate('[...document.querySelectorAll(".panel")].map(one => one.className)') == [
        'panel masks',
        'panel tracks',
    ]
    assert panel(browser, 'masks').std() > 5
    assert panel(browser, 'tracks').std() > 5
    assert browser.problems == []


def test_nothing_found_is_shown_too(browser: Chromium, seen: Perceived, tmp_path: Path) -> None:
    """One instance that is never seen, no box, no track, no depth: a page without errors."""
    frames, height, width = seen.segmentation.instance.shape
    assert seen.geometry is not None
    role = seen.segmentation.role[:1]
    empty = replace(
        seen,
        segmentation=Segmentation(role, np.zeros((frames, height, width), np.uint8)),
        boxes=Boxes(role, np.full((frames, 1, 4), np.nan, np.float32), np.zeros((frames, 1), np.float32)),
        tracks=replace(
            seen.tracks,
            pixels=seen.tracks.pixels[:, :0],
            visible=seen.tracks.visible[:, :0],
            instance=seen.tracks.instance[:0],
            query=seen.tracks.query[:0],
            places=None,
        ),
        geometry=replace(seen.geometry, depth_m=np.full((frames, height, width), np.nan, np.float32)),
    )
    page = write_part(tmp_path, 'clip_0000', empty)
    browser.problems.clear()
    show(browser, page)
    choose(browser, LAST)
    assert 'not seen' in browser.evaluate('document.querySelector(".values").innerText')
    assert browser.problems == []


def test_without_webgl_the_rest_works(browser: Chromium, page: Path) -> None:
    """A browser that draws no 3D says so in its panel; the others go on."""
    script = browser.call(
        'Page.addScriptToEvaluateOnNewDocument',
        source="""
        const own = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
          return kind.startsWith('webgl') ? null : own.call(this, kind, ...more); };""",
    )
    browser.problems.clear()
    try:
        show(browser, page)
        assert 'no WebGL' in browser.evaluate('document.querySelector(".cloud").innerText')
        before = panel(browser, 'tracks')
        choose(browser, LAST)
        assert np.abs(panel(browser, 'tracks').astype(int) - before).mean() > 0.3
        assert browser.problems == []
    finally:
        browser.call('Page.removeScriptToEvaluateOnNewDocument', identifier=script['identifier'])


def test_the_index_opens_the_stretch_that_is_chosen(browser: Chromium, seen: Perceived, tmp_path: Path) -> None:
    """A long video: a strip of its stretches, the first one open, another after a click."""
    for number in range(3):
        write_part(tmp_path, f'clip_{number:04d}', replace(seen, notes=('no hand in view',) if number == 2 else ()))
    browser.problems.clear()
    browser.open(write_index(tmp_path, 'walk.mp4'), width=SIZE[0], height=SIZE[1])
    browser.wait_for('document.querySelectorAll("#film a").length === 3')
    assert browser.evaluate('document.getElementById("part").src').endswith('report/clip_0000.html')
    browser.evaluate('document.querySelectorAll("#film a")[2].click()')
    browser.wait_for('document.getElementById("part").src.endsWith("report/clip_0002.html")')
    assert browser.evaluate('document.querySelectorAll(".warn").length') == 1
    browser.wait_for('document.querySelector("#film img").naturalWidth')
    assert browser.problems == []


@pytest.mark.parametrize(('width', 'height', 'phone'), [(1280, 720, False), (1440, 900, False), (390, 844, True)])
def test_fits_the_screen(browser: Chromium, page: Path, width: int, height: int, phone: bool) -> None:
    """Nothing sticks out; on a laptop all four pictures and the slider stand on the first screen."""
    show(browser, page, width=width, height=height, phone=phone)
    browser.evaluate('document.querySelectorAll("details").forEach(part => part.open = true)')
    assert browser.evaluate('document.documentElement.scrollWidth') == width
    lowest = browser.evaluate('document.querySelector(".time").getBoundingClientRect().bottom')
    assert phone or lowest <= height

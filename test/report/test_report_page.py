"""report.html in a real browser: it plays, in step, it fits, and nothing goes wrong on its console."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chromium import Chromium, find_chromium
from drawn_episode import MADE, drawn_episode, footage_clip
from PIL import Image

from hoigen.episodes import write_episode
from hoigen.episodes.report import write_report
from hoigen.look import episode_page
from hoigen.records import Episode

SIZES = {'frames': 9, 'size': (360, 240), 'generated_size': (96, 64), 'points': 3000}
DRAWN = drawn_episode(**SIZES)
PANELS = ('source', 'tracking', 'coloured', 'generated')

pytestmark = pytest.mark.skipif(find_chromium() is None, reason='no chromium here (Debian: apt-get install chromium)')

PIXELS = """(async () => {
  const canvas = document.querySelector('.panel.%s canvas');
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;
  let text = '';
  for (let n = 0; n < data.length; n += 8192) text += String.fromCharCode(...data.subarray(n, n + 8192));
  return [canvas.height, canvas.width, btoa(text), canvas.closest('article').dataset.frame];
})()"""


@pytest.fixture(scope='module')
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('demo')
    for number in range(3):
        rejected = 'fidelity: expected 0.5, got 0.3' if number == 2 else ''
        write_episode(folder / f'episode_{number:04d}', drawn_episode(**SIZES, number=number, rejected=rejected))
    write_report(folder)
    return folder / 'report.html'


@pytest.fixture
def opened(browser: Chromium, page: Path) -> Iterator[Chromium]:
    """The report on a 1280 px wide light screen, its first player loaded; nothing may have gone wrong at the end."""
    browser.problems.clear()
    browser.open(page, width=1280, height=900)
    browser.wait_for('document.querySelector("article")?.dataset.ready')
    yield browser
    assert browser.problems == []


def shown(browser: Chromium, panel: str) -> tuple[np.ndarray, str]:
    """[H,W,3] uint8 that the first player's canvas holds, and which frame that is."""
    height, width, text, frame = browser.evaluate(PIXELS % panel)
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)[..., :3], frame


def box(browser: Chromium, selector: str) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of an element in the window, in CSS pixels."""
    rectangle = browser.evaluate(f'document.querySelector({selector!r}).getBoundingClientRect().toJSON()')
    return tuple(round(rectangle[side]) for side in ('left', 'top', 'right', 'bottom'))  # type: ignore[return-value]


def choose(browser: Chromium, frame: int) -> None:
    """Move the first player's slider."""
    browser.evaluate(f"""(() => {{ const scrub = document.querySelector('.scrub'); scrub.value = {frame};
        scrub.dispatchEvent(new Event('input')); }})()""")


def test_videos_move_at_first_sight(opened: Chromium, tmp_path: Path) -> None:
    """Without a touch the first screen shows four pictures, none of them blank, and they move."""
    opened.wait_for('document.querySelector("article").dataset.frame > 1')
    window = opened.screenshot()
    Image.fromarray(window).save(tmp_path / 'report.png')
    for panel in PANELS:
        left, top, right, bottom = box(opened, f'.panel.{panel} canvas')
        assert 0 < left < right <= 1280, panel
        assert 0 < top < bottom <= 900, panel
        picture = window[top + 30 : bottom - 5, left + 5 : right - 5]  # below the caption
        assert picture.std() > 5, f'{panel} is blank'
    before, frame = shown(opened, 'generated')
    opened.wait_for(f'document.querySelector("article").dataset.frame !== "{frame}"')
    after, other = shown(opened, 'generated')
    assert other == frame or np.abs(after.astype(int) - before).max() > 60  # it may have come round again
    assert len(np.unique(window.reshape(-1, 3), axis=0)) > 1000


def test_panels_show_the_chosen_frame_exactly(opened: Chromium) -> None:
    """Whatever frame is chosen, the generated panel holds that frame's pixels and the others move with it."""
    seen = []
    for frame in (7, 2, 8, 0):
        choose(opened, frame)
        np.testing.assert_array_equal(shown(opened, 'generated')[0], DRAWN.generated.frames[frame])
        difference = np.abs(shown(opened, 'source')[0].astype(int) - DRAWN.clip.rgb[frame])
        assert difference.mean() < 4  # WebP
        seen.append((shown(opened, 'tracking')[0].tobytes(), shown(opened, 'coloured')[0].tobytes()))
        assert opened.evaluate('document.querySelector("article").dataset.frame') == str(frame)
        stamp_s = DRAWN.clip.stamps_ns[frame] / 1e9
        assert f'{stamp_s:.9f} s' in opened.evaluate('document.querySelector(".now").innerText')
    assert len(set(seen)) == 4


def test_charts_follow_and_lead_the_player(opened: Chromium) -> None:
    """Each chart's cursor stands at the shown frame, and a click into a chart chooses one."""
    choose(opened, 8)
    last = opened.evaluate('[...document.querySelectorAll(".cursor")].slice(0, 3).map(c => +c.getAttribute("x1"))')
    choose(opened, 0)
    first = opened.evaluate('[...document.querySelectorAll(".cursor")].slice(0, 3).map(c => +c.getAttribute("x1"))')
    assert all(b - a > 200 for a, b in zip(first, last, strict=True))
    left, top, right, bottom = box(opened, '.chart.height .line')
    opened.call(
        'Input.dispatchMouseEvent',
        type='mousePressed',
        button='left',
        clickCount=1,
        x=(left + right) / 2,
        y=(top + bottom) / 2,
    )
    assert opened.evaluate('document.querySelector("article").dataset.frame') == '4'
    assert (
        opened.evaluate('document.querySelector(".chart.height output").innerText')
        == f'{100 * DRAWN.clip.labels[4].T_world_object[2, 3]:.1f} cm'
    )


def test_fidelity_shows_its_parts_and_a_rejected_episode_its_reason(opened: Chromium, tmp_path: Path) -> None:
    """Outline and motion beside their value and in its chart; what was rejected is not taken for what is missing."""
    choose(opened, 4)
    value = DRAWN.generated.fidelity.value[4]
    assert (
        opened.evaluate('document.querySelector(".chart.truth output").innerText')
        == f'{value:.3f}outline {value:.2f} motion {value + 0.02:.2f}'
    )
    lines = opened.evaluate(
        '[...document.querySelectorAll("article")[0].querySelectorAll(".chart.truth path.part")]'
        '.map(path => path.getAttribute("d").split("L").length)'
    )
    assert lines == [9] * 2
    opened.evaluate('document.querySelectorAll("article")[2].scrollIntoView()')
    opened.wait_for('document.querySelectorAll("article")[2].dataset.ready')
    last = 'document.querySelectorAll("article")[2].querySelector'
    assert opened.evaluate(f'{last}(".fault").innerText') == 'Rejected: fidelity: expected 0.5, got 0.3'
    assert opened.evaluate(f'{last}(".panel.generated figcaption b").innerText').lower() == 'rejected'
    Image.fromarray(opened.screenshot()).save(tmp_path / 'rejected.png')


def test_play_pause_step_and_speed(opened: Chromium) -> None:
    """The controls do what they say: stop, step by keys, go on, and come round again."""
    opened.evaluate('document.querySelector("button.play").click()')
    held = opened.evaluate("""new Promise(done => { const a = document.querySelector('article'), n = a.dataset.frame;
        setTimeout(() => done(n === a.dataset.frame), 400); })""")
    assert held
    choose(opened, 3)
    opened.evaluate('document.querySelector("article").focus()')
    for key, frame in (('ArrowRight', '4'), ('ArrowLeft', '3'), ('ArrowLeft', '2')):
        opened.call('Input.dispatchKeyEvent', type='keyDown', key=key)
        assert opened.evaluate('document.querySelector("article").dataset.frame') == frame
    opened.evaluate('document.querySelectorAll(".speeds button")[3].click()')
    opened.evaluate('document.querySelector("button.play").click()')
    opened.wait_for('document.querySelector("article").dataset.frame === "8"')
    opened.wait_for('document.querySelector("article").dataset.frame < 3')


@pytest.mark.parametrize(('width', 'height', 'phone'), [(1280, 900, False), (390, 844, True)])
def test_fits_the_screen(opened: Chromium, page: Path, width: int, height: int, phone: bool) -> None:
    """On a desk and on a phone nothing sticks out, and source and generated stand on the first screen."""
    opened.open(page, width=width, height=height, phone=phone)
    opened.wait_for('document.querySelector("article")?.dataset.ready')
    opened.evaluate('document.querySelectorAll("details").forEach(part => part.open = true)')
    assert opened.evaluate('document.documentElement.scrollWidth') == width
    for panel in ('source', 'generated'):
        assert box(opened, f'.panel.{panel}')[3] <= height


def test_dark_and_light(opened: Chromium, page: Path) -> None:
    """The page follows the system's colours."""
    light = opened.screenshot()[4, 4].mean()
    opened.open(page, width=1280, height=900, dark=True)
    opened.wait_for('document.querySelector("article")?.dataset.ready')
    assert opened.screenshot()[4, 4].mean() < 50 < 200 < light


def test_images_beside_the_page_come_when_they_are_in_view(
    browser: Chromium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a long run: the same frames as those in the page; without the files, the page says which are missing."""
    monkeypatch.setattr(episode_page, 'INSIDE_BYTES', 0)
    write_episode(tmp_path / 'episode_0000', DRAWN)
    page = write_report(tmp_path)
    assert len(page.read_text()) < 100_000
    browser.problems.clear()
    browser.open(page, width=1280, height=900)
    browser.wait_for('document.querySelector("article")?.dataset.ready')
    choose(browser, 7)
    np.testing.assert_array_equal(shown(browser, 'generated')[0], DRAWN.generated.frames[7])
    assert browser.problems == []
    [images] = (tmp_path / 'report_parts').glob('*.js')
    images.unlink()
    browser.open(page, width=1280, height=900)
    browser.wait_for(
        'document.querySelector(".panel.source .none")?.innerText.includes("beside this page, is missing")'
    )
    Image.fromarray(browser.screenshot()).save(tmp_path / 'missing.png')
    write_report(tmp_path)
    monkeypatch.undo()
    assert len(write_report(tmp_path).read_text()) > 100_000


def test_footage_is_shown_without_what_nobody_measured(browser: Chromium, tmp_path: Path) -> None:
    """No force, no height: how far the object went, and how the conditions were found."""
    write_episode(tmp_path / 'clip_0000', Episode(footage_clip(), MADE))
    write_report(tmp_path)
    browser.problems.clear()
    browser.open(tmp_path / 'report.html', width=1280, height=900)
    browser.wait_for('document.querySelector("article")?.dataset.ready')
    assert browser.evaluate('[...document.querySelectorAll(".chart figcaption span")].map(e => e.innerText)') == [
        'Object moved',
        'Fidelity',
    ]
    choose(browser, 0)
    assert browser.evaluate('document.querySelector(".chart output").innerText') == 'unknown'
    assert 'Object position x y z\nunknown' in browser.evaluate('document.querySelector(".now").innerText')
    choose(browser, 2)
    assert browser.evaluate('document.querySelector(".chart output").innerText') == '0.000'
    for panel in ('mask', 'depth'):
        assert shown(browser, panel)[0].any()
    assert browser.evaluate('document.querySelector("details summary").innerText') == 'Conditions from footage'
    assert browser.problems == []

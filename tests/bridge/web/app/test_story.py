"""A new user's session: sign up, upload, play while it is separated, loop, mix, share, log out."""

import io
from functools import partial

import numpy as np
import soundfile
import waiting
from served import sign_up

from stream_sep.files.demo_song import load_demo_song

until = partial(waiting.until, every=0.02)

_PLAYER = "document.querySelector('ss-player')"


def real_song(path, seconds=45):
    """Write the demo song, over and over; returns its frames."""
    song = load_demo_song()
    mix = sum(song.stems.values()).T
    whole = np.tile(mix, (int(seconds * song.sample_rate / len(mix)) + 1, 1))[: int(seconds * song.sample_rate)]
    soundfile.write(path, whole, song.sample_rate, subtype="PCM_16")
    return len(whole)


def sounds(page, stem):
    """Whether a stem is audible: its meter, behind the fader."""
    return page.evaluate(f"Math.max(...{_PLAYER}.stage.mixer.peaks('{stem}'))") > -60


def test_story(chromium, served, admin, tmp_path):
    del admin  # the set-up link is used: from here on anybody signs up
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    page = context.new_page()
    page.goto(served.address)
    page.click("nav >> text=Sign up")
    sign_up(page, served, "bo")
    page.click("text=To the library")
    page.wait_for_selector("text=No songs yet.")

    frames = real_song(tmp_path / "Harbour Lights.wav")
    page.set_input_files("#files", tmp_path / "Harbour Lights.wav")
    page.click(".song-row a.title", timeout=60_000)
    play_while_it_is_made(page)
    mute_and_loop(page)
    page.wait_for_selector("button:has-text('Download')", timeout=600_000)
    assert page.evaluate(f"{_PLAYER}.song.frames") == frames
    compare_the_mix(page, served, context)
    link = share(page)

    page.click("role=button[name='Log out']")
    page.wait_for_selector("text=Log in")
    only_the_link_plays(chromium, served, link, page)
    context.close()


def play_while_it_is_made(page):
    page.wait_for_selector("ss-player canvas", timeout=600_000)
    page.click("role=button[name='Play']")
    until(lambda: sounds(page, "vocals") or sounds(page, "drums"))
    assert page.evaluate(f"{_PLAYER}.song.state") == "working"
    assert page.locator("text=/Separating: .* of 0:45/").count() == 1


def mute_and_loop(page):
    page.click("role=button[name='Mute drums']")
    page.wait_for_timeout(100)
    until(lambda: not sounds(page, "drums"))
    page.evaluate(f"{_PLAYER}.setLoop({{start: 44100, end: 66150}})")
    until(
        lambda: 44100 <= page.evaluate(f"{_PLAYER}.stage.player.position") <= 66150
    )  # it may be before the loop yet
    visited = {page.evaluate(f"{_PLAYER}.stage.player.position") for _ in range(40)}
    assert all(44000 <= frame <= 66150 for frame in visited)
    page.click("role=button[name='Pause']")
    page.click("role=button[name='Loop']")


def compare_the_mix(page, served, context):
    page.locator("role=slider[name='bass level']").focus()
    for _ in range(6):
        page.keyboard.press("ArrowDown")
    page.click(".song-head >> role=button[name='Download']")
    with page.expect_download(timeout=120_000) as downloading:
        page.click("text=The mix as you hear it")
    page.keyboard.press("Escape")
    mixed, rate = soundfile.read(downloading.value.path(), always_2d=True)
    base = f"{served.address}/api/v1/songs/{page.url.rpartition('/')[2]}/stems/"
    stems = {}
    for stem in ("vocals", "bass", "other"):
        response = context.request.get(f"{base}{stem}.flac")
        stems[stem] = soundfile.read(io.BytesIO(response.body()), always_2d=True)[0]
    expected = stems["vocals"] + stems["other"] + 10 ** (-6 / 20) * stems["bass"]
    assert rate == 44100
    assert mixed.shape == expected.shape
    assert np.abs(mixed - expected).max() < 2 / 32768


def share(page):
    page.click(".song-head >> role=button[name='Share']")
    page.click("text=Make a link")
    link = page.text_content("#share-link")
    page.keyboard.press("Escape")
    return link


def only_the_link_plays(chromium, served, link, logged_out):
    assert logged_out.request.get(f"{served.address}/api/v1/songs").status == 401
    context = chromium.new_context()
    page = context.new_page()
    page.goto(link)
    page.wait_for_selector("ss-player canvas")
    page.click("role=button[name='Play']")
    until(lambda: sounds(page, "vocals"))
    key = link.rpartition("k=")[2]
    shared = f"{served.address}/api/v1/shares/{key}"
    assert page.request.get(f"{shared}/pieces/0").status == 200
    for path in ("all.zip", "stems/vocals.flac", "source.flac"):
        assert page.request.get(f"{shared}/{path}").status in {403, 404}, path
    assert page.locator("role=button[name='Share']").count() == 0
    assert page.locator("role=button[name='Download']").count() == 0
    context.close()

"""The service in Firefox and WebKitGTK: sign up, upload, play stems while they are made, download, share, log out."""

import re

import numpy as np
import pytest
import soundfile
import waiting
from served import PASSWORD, serving

from stream_sep.files.demo_song import load_demo_song

SECONDS = 12
PLAYER = "document.querySelector('ss-player')"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("service"), "--sign-up", "open") as running:
        yield running


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """The file of the mix of the demo song, and its number of frames."""
    demo = load_demo_song()
    mix = sum(demo.stems.values()).T[: SECONDS * demo.sample_rate]
    path = tmp_path_factory.mktemp("song") / "Harbour Lights.wav"
    soundfile.write(path, mix, demo.sample_rate, subtype="PCM_16")
    return path, len(mix)


def level(page, stem):
    """The level of a stem behind its fader, in dBFS."""
    return page.evaluate(f"Math.max(...{PLAYER}.stage.mixer.peaks('{stem}'))")


def becomes(page, stem, *, loud):
    waiting.until(lambda: (level(page, stem) > -60) is loud, every=0.05)


def test_story(browser, served, song, request):
    path, frames = song
    with browser() as page:
        enter(page, served, request.node.callspec.id)
        upload(page, path)
        play(page)
        loop(page)
        page.until(f"{PLAYER}.song.state === 'ready'")
        assert page.evaluate(f"{PLAYER}.song.frames") == frames
        change_the_speed(page)
        download(page, frames)
        leave_by_the_link(page, served, share(page))
        assert page.problems() == []


def enter(page, served, name):
    page.goto(served.address + served.setup)
    served.setup = "/signup"  # the link works once: from here on anybody signs up
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("form button >> S")
    page.until("document.querySelector('.codes li')")
    page.click("button >> Save")
    waiting.until(lambda: list(page.downloads.glob("stream_sep recovery codes*")))
    page.click("button >> Log out")
    page.click("header a >> Log in")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.press("Enter")
    page.until("document.querySelector('#files')")


def upload(page, path):
    page.evaluate("void (document.querySelector('ss-library').settings = {model: 'causal-6ms'})")  # the fastest
    page.choose_file("#files", path)
    page.click("a.title")


def play(page):
    page.click("button[aria-label=Play]")
    page.evaluate(f"{PLAYER}.setLoop({{start: 0, end: 132300}})")  # so that it does not end meanwhile
    becomes(page, "vocals", loud=True)
    becomes(page, "bass", loud=True)
    page.click("button[aria-label='Mute bass']")
    becomes(page, "bass", loud=False)
    page.click("button[aria-label='Solo drums']")
    becomes(page, "vocals", loud=False)
    becomes(page, "drums", loud=True)
    page.click("button[aria-label='Solo drums']")
    page.evaluate("document.activeElement.blur()")
    page.press("3")  # mute by number
    becomes(page, "bass", loud=True)


def loop(page):
    page.evaluate(f"{PLAYER}.setLoop({{start: 22050, end: 44100}})")
    position = f"{PLAYER}.stage.player.position"
    page.until(f"22050 <= {position} && {position} <= 44100")
    assert all(22050 <= page.evaluate(position) <= 44100 for _ in range(30))
    page.press("l")
    page.until(f"{PLAYER}.loop === null")


def change_the_speed(page):
    page.evaluate(f"[{PLAYER}.seek(0), {PLAYER}.playing || {PLAYER}.toggle(), {PLAYER}.setTempo(0.5, 2)]")
    page.until(f"{PLAYER}.stage.player.stretcher !== null")
    page.until(f"{PLAYER}.stage.player.state === 'playing'")
    becomes(page, "master", loud=True)
    page.evaluate(f"{PLAYER}.setTempo(1, 0)")
    page.until(f"{PLAYER}.stage.player.stretcher === null")
    page.press(" ")
    page.until(f"!{PLAYER}.playing")


def download(page, frames):
    page.click(".song-head button >> Download")
    page.click("#downloads a >> Vocals")
    page.click("#downloads button >> The mix as you hear it")
    for name in ("Harbour Lights - vocals.flac", "Harbour Lights (mix).flac"):
        file = page.downloads / name
        waiting.until(lambda file=file: file.exists() and is_whole(file, frames), every=0.1)
    assert np.abs(soundfile.read(file)[0]).max() > 0.1
    page.press("Escape")


def is_whole(file, frames):
    try:
        return soundfile.info(file).frames == frames and len(soundfile.read(file)[0]) == frames
    except soundfile.LibsndfileError:
        return False  # it is still being written


def share(page):
    page.click(".song-head button >> Share")
    page.click("#share button >> Make a link")
    page.until("document.querySelector('#share-link')")
    link = page.evaluate("document.querySelector('#share-link').textContent")
    page.press("Escape")
    return link


def leave_by_the_link(page, served, link):
    assert re.fullmatch(re.escape(served.address) + r"/s#k=\S+", link)
    page.click("button >> Log out")
    page.until("document.querySelector('.hero')")
    assert page.evaluate("fetch('/api/v1/songs').then(({status}) => status)") == 401
    page.goto(link)
    page.click("button[aria-label=Play]")
    becomes(page, "vocals", loud=True)

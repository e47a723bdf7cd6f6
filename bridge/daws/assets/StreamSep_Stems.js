// stream_sep in Cubase and Nuendo 12 or later: the first four audio channels of the MixConsole move the stems, in the
// order vocals, drums, bass, other, and what else moves the stems moves the channels.
//
// Put this file into Documents/Steinberg/Cubase/MIDI Remote/Driver Scripts/Local/StreamSep/Stems/ and start Cubase
// again. It needs a pair of MIDI ports: run stream-sep with --midi stream_sep --midi-map cubase.toml on macOS and
// Linux, which makes ports of that name; on Windows make ports with loopMIDI first and call them so.

var STEMS = ['vocals', 'drums', 'bass', 'other']
var MUTE = 16
var SOLO = 8

var midiremote_api = require('midiremote_api_v1')

var deviceDriver = midiremote_api.makeDeviceDriver('StreamSep', 'Stems', 'The stream_sep developers')
var midiInput = deviceDriver.mPorts.makeMidiInput()
var midiOutput = deviceDriver.mPorts.makeMidiOutput()

deviceDriver.makeDetectionUnit().detectPortPair(midiInput, midiOutput)
    .expectInputNameContains('stream_sep')
    .expectOutputNameContains('stream_sep')

var surface = deviceDriver.mSurface
var page = deviceDriver.mMapping.makePage('Stems')
var channels = page.mHostAccess.mMixConsole.makeMixerBankZone('Stems').includeAudioChannels()

function bindValue(value) {
    return value.mMidiBinding.setInputPort(midiInput).setOutputPort(midiOutput)
}

function makeStrip(index) {
    var x = index * 2
    var channel = channels.makeMixerBankChannel()
    var solo = surface.makeButton(x, 0, 2, 1)
    var mute = surface.makeButton(x, 1, 2, 1)
    var fader = surface.makeFader(x, 2, 2, 8)

    // what Cubase moves goes out by the same message that comes in: the ports are a motor fader to it
    bindValue(fader.mSurfaceValue).bindToPitchBend(index)
    bindValue(mute.mSurfaceValue).bindToNote(0, MUTE + index)
    bindValue(solo.mSurfaceValue).bindToNote(0, SOLO + index)

    page.makeValueBinding(fader.mSurfaceValue, channel.mValue.mVolume)
    page.makeValueBinding(mute.mSurfaceValue, channel.mValue.mMute)
    page.makeValueBinding(solo.mSurfaceValue, channel.mValue.mSolo)
}

for (var index = 0; index < STEMS.length; index++) {
    makeStrip(index)
}

"""DAWs whose own faders move the stems: REAPER, Ardour, Live, Bitwig; and controllers made for an X32."""

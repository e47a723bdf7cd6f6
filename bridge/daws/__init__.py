"""DAWs whose own faders move the stems: REAPER, Ardour, Live, Bitwig; and whatever is made for an X32."""

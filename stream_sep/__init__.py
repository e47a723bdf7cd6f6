"""Live stem separation: music in, stems on faders, while it plays."""

"""The spectrogram-channels U-Net: masks of any groups of sources from windows of a mix."""

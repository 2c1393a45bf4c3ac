"""What the Python tests share: programs as processes, the emulated air, keys, UEs, sniffers, servers."""

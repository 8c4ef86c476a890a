"""What a collection session leaves behind: its folder, and the marker of each sample in its bags."""

"""Labels out to annotation tools, and what people corrected there back in."""

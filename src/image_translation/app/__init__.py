"""The page on which people translate their photographs."""

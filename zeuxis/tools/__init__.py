"""Tools beside the search: pictures of seeds, style mixing, animations between seeds, arithmetic on saved latents."""

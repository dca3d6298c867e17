"""Laws and discrete spaces: materials, interfaces, layer-wise spaces; no solver and no case file."""

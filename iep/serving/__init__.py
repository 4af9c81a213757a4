"""Applications to browsers: pages, modules, maps, previews."""

"""Sound as samples: files, pipes, spectra, and where somebody speaks."""

"""Every fit of one model beside the others, and several models side by side."""

"""Objects put into pictures at a 6DoF pose, with labels that stay true."""

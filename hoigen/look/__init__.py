"""What a person looks at: sheets of images and movies."""

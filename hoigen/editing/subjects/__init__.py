"""What is put into images, and how it is made of what a user has."""

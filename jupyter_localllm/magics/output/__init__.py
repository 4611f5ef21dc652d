"""What appears below a cell, in every kind of front end: texts, progress, buttons, frames."""

# What the embedded server says
remex caps | grep -E "^(digest function used|execution|cache updates)  "

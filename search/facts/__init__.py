"""What a query may ask of photos beside what they show: when and where they were taken, with which
camera, in which directory they are. Each kind of value has a file.
"""

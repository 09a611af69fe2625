"""What `churnwatch models` is made of.

show   models for people and for programs
"""

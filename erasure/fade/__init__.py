"""The fade: compute the next state of a keepsake from its last state and fresh noise, pass by pass."""

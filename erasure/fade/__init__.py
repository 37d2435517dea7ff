"""The fade: keepsakes lose what they hold, pass by pass, each from the last and fresh noise alone."""

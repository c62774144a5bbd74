"""Small functions around libraries, with plain values on both sides. They are imported only in
processes of the bridge.
"""

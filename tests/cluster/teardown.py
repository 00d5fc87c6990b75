"""stub"""
def stop(a,b): pass
def down(a,b): pass

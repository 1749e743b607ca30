from nmt.plumbing.folders import ensure_home

ensure_home()  # before matplotlib is imported, which looks for it

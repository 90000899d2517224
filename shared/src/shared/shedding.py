SHED = (b"x-load-shed", b"1")

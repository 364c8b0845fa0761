"""The studio: a local web page to breed pictures by words and by hand, a face over `workflows` and run folders.

guard                      who may talk to the server; headers of every answer
live                       one search in a thread of its own, as the pages see it
genome  breeding  taste    picking by hand: variation, the family tree, what was learnt from the picks
plane                      25 children on a plane through three pictures
artist  journal            draws and scores what is bred by hand; keeps it on disk
gallery  index             all runs, found again
thumbnails  export         small pictures on disk; a selection as files
dropped                    a picture that was dropped: drawn again and compared, or an image prompt
server  pages/             NiceGUI, imported on use: only these two know of it
"""

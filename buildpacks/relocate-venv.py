"""Makes a virtual environment independent of the folder that it is in: dynos run in others.

Scripts' first lines (a long name makes pip write a shell's), and where editable packages are, name no folder of the build.
"""
import os
import pathlib
import re
import sys

app = sys.argv[1]
venv = pathlib.Path(app, '.venv')
for script in (venv / 'bin').iterdir():
    if script.is_symlink() or not script.is_file():
        continue
    lines = script.read_bytes().split(b'\n')
    is_long = lines[0] == b'#!/bin/sh' and len(lines) > 2 and lines[1].startswith(b"'''exec'")
    head = 3 if is_long else 1
    if lines[0].startswith(b'#!') and (app + '/').encode() in b'\n'.join(lines[:head]):
        script.write_bytes(b'\n'.join([b'#!/usr/bin/env python3', *lines[head:]]))


def in_home(match):
    return "(__import__('os').environ['HOME'] + '" + (match[1] or '') + "')"


for site in venv.glob('lib/python*/site-packages'):
    for file in site.glob('*.pth'):
        lines = file.read_text().splitlines()
        # A relative path counts from the folder of the .pth file.
        moved = [os.path.relpath(line, site) if (line + '/').startswith(app + '/') else line for line in lines]
        if moved != lines:
            file.write_text('\n'.join(moved) + '\n')
    for file in site.glob('__editable__*.py'):
        text = file.read_text()
        moved = re.sub("'" + re.escape(app) + "(/[^']*)?'", in_home, text)
        if moved != text:
            file.write_text(moved)
# pipenv takes a folder without them for none: they go last.
if '--last' in sys.argv:
    for file in (venv / 'bin').glob('[aA]ctivate*'):
        file.unlink()

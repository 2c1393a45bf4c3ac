"""Pictures of the examples, by gnuplot: python3-matplotlib would bring some sixty packages along. The arrays are numpy's, so any other tool draws them as well."""
import argparse
import subprocess
import sys


def draw(path, *steps, width=1100, height=750):
    """Makes a PNG. The steps are gnuplot's commands and, behind a command that plots '-' binary, the arrays that it reads, as float32."""
    text = f'set terminal pngcairo size {width},{height} font "sans,11"\nset output "{path}"\n'.encode()
    for step in steps:
        text += (step + '\n').encode() if isinstance(step, str) else step.astype('<f4').tobytes()
    p = subprocess.run(['gnuplot'], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if p.returncode != 0:
        sys.exit('gnuplot: ' + p.stderr.decode(errors='replace').strip().splitlines()[-1])


def words(text):
    """A text as a string of gnuplot."""
    return "'" + text.replace("'", "''").replace('_', r'\_').replace('@', r'\@') + "'"


def options(text):
    """Of an example that draws what is in a recording. text: its first line says what it does."""
    a = argparse.ArgumentParser(description=text.splitlines()[0])
    a.add_argument('recording')
    a.add_argument('picture')
    a.add_argument('--carrier', default='')
    a.add_argument('--pool', action='append', default=[])
    a.add_argument('--sync', default='')
    return a

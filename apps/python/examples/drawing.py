"""Pictures of the examples, by gnuplot: python3-matplotlib would bring some sixty packages along. The arrays are numpy's, so any other tool draws them as well."""
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

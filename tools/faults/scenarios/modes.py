"""Every degraded mode, asked by curl: the answers are the documented ones."""

from tools.faults import report
from tools.faults.modes import MODES, shown
from tools.faults.scene import Figure, Scene


def run(scene: Scene) -> Figure:
    found = dict(shown(scene))
    if scene.write and all(found.values()):
        report.write_transcripts([(mode.title, mode.what, lines) for mode, lines in found.items()])
    left_out = [mode.title for mode, lines in found.items() if not lines]
    line = f"{len(MODES) - len(left_out)} degraded modes shown by curl, all answers as documented"
    return Figure(line + (f"; left out for want of a program: {', '.join(left_out)}" if left_out else ""), reached=not left_out)

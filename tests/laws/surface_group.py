"""Several surfaces that the laws take for one: some have a surface for every client."""


class SurfaceGroup:
    """Surfaces of which the first is there from the start; clients bring and start the others."""

    def __init__(self):
        self._surfaces = []

    def start(self):
        self._surfaces[0].start()

    def stop(self):
        for surface in self._surfaces:
            surface.stop()

    @property
    def last(self):
        return "".join(surface.last for surface in self._surfaces)

    @property
    def errors(self):
        return sum(surface.errors for surface in self._surfaces)

from tidegate.app.embedding import TidegateMiddleware as TidegateMiddleware

__version__: str

"""May this request start now?"""

"""Tests of the verifier itself, without any host: pytest verification/tests"""

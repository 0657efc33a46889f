"""Requests on their way to a service: who asks, what splits them, and what stands in between.

client     asks, bounded in time and size
router     a real Traefik that splits requests between replicas by weight
gateway    the router of an episode, where replicas err and slow
proxy      stands in front of a service and answers rightly or wrongly by itself
"""

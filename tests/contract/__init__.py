"""What is to be seen of the Supervisor from outside, by its clients and by Core.

The client's models make their code when they are first used: nobody uses all of them, and to make all of it takes each
process of the tests most of a second.
"""

from mashumaro.config import BaseConfig

BaseConfig.lazy_compilation = True
